"""Adds the menu Object > Motion324: what the sidebar does, for the menu search (F3), which finds nothing that
is in no menu.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import bpy


class Entry(NamedTuple):
    """An operator with its icon, and for one of several buttons that call it its text and its arguments, for which
    Blender would else take those of the last call.
    """

    operator: str
    icon: str
    text: str | None = None
    arguments: Mapping[str, object] = MappingProxyType({})


# In groups, as in the sidebar.
GROUPS = (
    (
        Entry("load_example", "IMPORT"),
        Entry("pick_video", "FILEBROWSER"),
        Entry("preview_mask", "MOD_MASK"),
        Entry("show_mask", "IMAGE"),
    ),
    (
        Entry("new_mesh", "MESH_DATA"),
        Entry("new_mesh", "PLAY", "New Mesh from Video, Animated", {"animate": True}),
    ),
    (
        Entry("take_view", "VIEW3D", arguments={"source": "VIEWPORT"}),
        Entry("take_view", "OUTLINER_OB_CAMERA", "Take View Angles from Camera", {"source": "CAMERA"}),
        Entry("find_view", "VIEWZOOM"),
        Entry("align_view", "VIEW3D", arguments={"camera": False}),
        Entry("align_view", "OUTLINER_OB_CAMERA", "Add Camera at Found View", {"camera": True}),
    ),
    (
        Entry("animate", "PLAY"),
        Entry("cancel", "CANCEL"),
        Entry("unqueue", "X"),
        Entry("requeue", "TRIA_UP"),
        Entry("cancel_all", "CANCEL"),
        Entry("try_again", "PLAY"),
        Entry("restart", "FILE_REFRESH"),
        Entry("open_log", "TEXT"),
    ),
    (
        Entry("keep_shape_keys", "SHAPEKEY_DATA"),
        Entry("keep_point_cache", "FILE_CACHE"),
        Entry("keep_armature", "ARMATURE_DATA"),
        Entry("keep_rig", "OUTLINER_OB_ARMATURE"),
        Entry("discard", "TRASH"),
        Entry("bring_back", "LOOP_BACK"),
        Entry("choose_take", "RADIOBUT_ON"),
        Entry("remove_take", "X"),
        Entry("make_single_user", "DUPLICATE"),
        Entry("push_to_nla", "NLA_PUSHDOWN"),
        Entry("remove_animation", "TRASH"),
    ),
    (
        Entry("pin_point", "PINNED"),
        Entry("pin_still", "FREEZE"),
        Entry("edit_pose", "SCULPTMODE_HLT"),
        Entry("take_pose", "CHECKMARK"),
        Entry("discard_pose", "X"),
        Entry("remove_pin", "X"),
        Entry("refine", "FILE_REFRESH"),
    ),
    (
        Entry("play", "PLAY"),
        Entry("overlay", "IMAGE_BACKGROUND"),
        Entry("hide_overlay", "HIDE_ON"),
        Entry("go_to_frame", "TIME"),
        Entry("show_doubt", "SHADING_TEXTURE"),
        Entry("turntable", "RENDER_ANIMATION"),
        Entry("export", "EXPORT"),
        Entry("export_rig", "ARMATURE_DATA"),
        Entry("export_vertex_textures", "TEXTURE"),
    ),
    (
        Entry("install_backend", "IMPORT"),
        Entry("install_from_folder", "FILE_FOLDER"),
        Entry("cancel_installation", "CANCEL"),
        Entry("check_installation", "CHECKMARK"),
        Entry("copy_report", "COPYDOWN"),
        Entry("open_installation_log", "TEXT"),
        Entry("remove_backend", "TRASH"),
        Entry("open_preferences", "PREFERENCES"),
    ),
)


PRESETS, PRESET_FOLDER = "MOTION324_MT_presets", "motion324"


class MOTION324_MT_presets(bpy.types.Menu):
    bl_idname = PRESETS
    bl_label = "Motion324 Presets"
    preset_subdir = PRESET_FOLDER
    preset_operator = "script.execute_preset"

    def draw(self, context: bpy.types.Context) -> None:
        if bpy.utils.preset_paths(self.preset_subdir):  # Blender would say that paths are missing
            bpy.types.Menu.draw_preset(self, context)
            self.layout.separator()
        self.layout.operator_context = "INVOKE_DEFAULT"
        self.layout.operator("motion324.add_preset", text="Save Settings as Preset", icon="ADD")
        self.layout.operator("motion324.add_preset", text="Remove Preset", icon="REMOVE").remove_active = True


class MOTION324_MT_object(bpy.types.Menu):
    bl_idname = "MOTION324_MT_object"
    bl_label = "Motion324"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for index, group in enumerate(GROUPS):
            if index:
                layout.separator()
            for entry in group:
                button = layout.operator(f"motion324.{entry.operator}", text=entry.text, icon=entry.icon)
                for name, value in entry.arguments.items():
                    setattr(button, name, value)


def _draw_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.menu(MOTION324_MT_object.bl_idname)


def register() -> None:
    bpy.utils.register_class(MOTION324_MT_presets)
    bpy.utils.register_class(MOTION324_MT_object)
    bpy.types.VIEW3D_MT_object.append(_draw_entry)


def unregister() -> None:
    bpy.types.VIEW3D_MT_object.remove(_draw_entry)
    bpy.utils.unregister_class(MOTION324_MT_object)
    bpy.utils.unregister_class(MOTION324_MT_presets)
