"""Rigged, animated objects to FBX and GLB by Blender's exporters, with settings that keep skin and keys as they are.

Each setting was measured by importing the file again: the tests compare bones and vertices frame by frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motion324.core.inside_blender.gltf import export_at_rate

ENDINGS = (".glb", ".fbx", ".blend")


def write_rigged(bpy: Any, path: Path) -> None:
    """What is selected, over the scene's frames, to a .glb or .fbx. Raises RuntimeError, as operators do."""
    if path.suffix.lower() == ".glb":
        scene = bpy.context.scene
        write_skinned_glb(
            bpy,
            path,
            scene.frame_end - scene.frame_start,
            export_frame_range=True,
            export_force_sampling=True,
            export_anim_slide_to_zero=True,  # a GLB begins with its animation
        )
        return
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"MESH", "ARMATURE"},
        use_mesh_modifiers=True,
        add_leaf_bones=False,  # else each chain of bones gets one more
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
    )


def write_skinned_glb(bpy: Any, path: Path, frames: int, **more: Any) -> None:
    """What is selected, whose last key lies `frames` frames after the first. more: settings of the exporter."""

    def export() -> None:
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_apply=False,
            export_skins=True,
            export_def_bones=False,
            export_morph=False,
            export_animations=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_anim_single_armature=False,  # else 4.2 mixes in all actions of the file
            export_optimize_animation_size=False,
            **more,
        )

    export_at_rate(bpy, path, frames, export)
