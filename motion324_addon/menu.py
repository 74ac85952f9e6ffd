"""Object > Motion324: what the sidebar does, for the menu search (F3), which finds nothing that is in no menu."""

from __future__ import annotations

import bpy

# Groups of operators with their icons, as in the sidebar.
GROUPS = (
    (
        ("motion324.preview_mask", "MOD_MASK"),
        ("motion324.find_view", "VIEWZOOM"),
        ("motion324.new_mesh", "MESH_DATA"),
    ),
    (
        ("motion324.animate", "PLAY"),
        ("motion324.cancel", "CANCEL"),
        ("motion324.restart", "FILE_REFRESH"),
    ),
    (
        ("motion324.keep_shape_keys", "SHAPEKEY_DATA"),
        ("motion324.keep_point_cache", "FILE_CACHE"),
        ("motion324.discard", "TRASH"),
        ("motion324.make_single_user", "DUPLICATE"),
        ("motion324.remove_animation", "TRASH"),
    ),
    (
        ("motion324.overlay", "IMAGE_BACKGROUND"),
        ("motion324.turntable", "RENDER_ANIMATION"),
        ("motion324.export", "EXPORT"),
    ),
    (
        ("motion324.install_backend", "IMPORT"),
        ("motion324.check_installation", "CHECKMARK"),
    ),
)


class MOTION324_MT_object(bpy.types.Menu):
    bl_idname = "MOTION324_MT_object"
    bl_label = "Motion324"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for index, group in enumerate(GROUPS):
            if index:
                layout.separator()
            for operator, icon in group:
                layout.operator(operator, icon=icon)


def _draw_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.menu(MOTION324_MT_object.bl_idname)


def register() -> None:
    bpy.utils.register_class(MOTION324_MT_object)
    bpy.types.VIEW3D_MT_object.append(_draw_entry)


def unregister() -> None:
    bpy.types.VIEW3D_MT_object.remove(_draw_entry)
    bpy.utils.unregister_class(MOTION324_MT_object)
