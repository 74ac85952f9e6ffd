"""Runs inside Blender, or a Python that has bpy: writes an animated .glb with morph targets as an .fbx with shape keys.

Not part of the backend's own process: motion324.from_video.exports starts it with the arguments GLB FBX FPS. It works
with Blender 4.2 to 5.x; motion324.blender.blender_launcher runs it.
"""

from typing import Any

from motion324.core.inside_blender.gltf import import_at_rate


def main(source: str, target: str, frame_rate: str) -> None:
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    import_at_rate(bpy, source, float(frame_rate))
    frames = 1
    for item in scene.objects:
        keys = item.data.shape_keys if item.type == "MESH" else None
        if keys is not None:
            activate(keys.animation_data)
            frames = max(frames, len(keys.key_blocks))
    scene.frame_start, scene.frame_end = 0, frames - 1
    # Its defaults drop the animation of shape keys: they bake actions of objects and strips only.
    bpy.ops.export_scene.fbx(
        filepath=target,
        bake_anim=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
        add_leaf_bones=False,
    )


def activate(data: Any) -> None:
    """The importer may put the action into a strip of the NLA; here it has to be the active one."""
    if data is None:
        raise RuntimeError("the imported shape keys have no animation")
    for track in list(data.nla_tracks):
        for strip in track.strips:
            if data.action is None and strip.action is not None:
                slot = getattr(strip, "action_slot", None)
                data.action = strip.action
                if slot is not None:
                    data.action_slot = slot
        data.nla_tracks.remove(track)
