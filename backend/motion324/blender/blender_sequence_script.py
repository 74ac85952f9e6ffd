"""Runs inside Blender, or a Python that has bpy: writes an animated GLB, FBX or Alembic file as an .npz file.

Not part of the backend's own process: motion324.evaluation.predictions starts it with the arguments
SOURCE TARGET FPS EXPECTED. FPS: frames per second at which the file's seconds become frames. EXPECTED: how many frames
it should have, or 0. It works with Blender 4.2 to 5.x; motion324.blender.blender_launcher runs it.

The .npz holds positions (T, N, 3) float32 in world space, Z up, faces (F, 3) int32 and times (T,) float64 in frames.
"""

from pathlib import Path
from typing import Any

import numpy as np

from motion324.blender.blender_export_script import visible_meshes
from motion324.core.inside_blender.fcurves import all_curves
from motion324.core.inside_blender.gltf import import_at_rate
from motion324.core.inside_blender.mesh.surface import positions_of, triangles_of


def main(source: str, target: str, frame_rate: str, expected: str) -> None:
    import bpy

    fps = float(frame_rate)
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    import_file(bpy, source, fps)
    times = frame_times(bpy, scene, int(expected))
    frames: list[np.ndarray] = []
    faces = np.empty((0, 3), np.int32)
    for time in times:
        scene.frame_set(int(np.floor(time)), subframe=float(time - np.floor(time)))
        depsgraph = bpy.context.evaluated_depsgraph_get()
        positions, triangles = read_frame(visible_meshes(bpy, depsgraph), with_faces=not frames)
        if not frames:
            faces = triangles
        elif len(positions) != len(frames[0]):
            raise RuntimeError(
                f"it has {len(positions)} vertices at frame {time:g}, but {len(frames[0])} at frame {times[0]:g}"
            )
        frames.append(positions)
    np.savez(target, positions=np.stack(frames), faces=faces, times=np.array(times, np.float64))


def import_file(bpy: Any, source: str, fps: float) -> None:
    suffix = Path(source).suffix.lower()
    addon = {".fbx": "io_scene_fbx", ".glb": "io_scene_gltf2", ".gltf": "io_scene_gltf2"}.get(suffix)
    if addon:
        import addon_utils  # type: ignore[import-not-found]  # Blender's own

        addon_utils.enable(addon)
    if suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=source, anim_offset=0.0)
    elif suffix == ".abc":
        bpy.ops.wm.alembic_import(filepath=source, set_frame_range=True, as_background_job=False)
    else:
        import_at_rate(bpy, source, fps)


def frame_times(bpy: Any, scene: Any, expected: int) -> list[float]:
    """Where keyframes lie; all whole frames between them where those are as many as expected; else the scene's."""
    keys = sorted({round(point.co.x, 3) for curve in all_curves(bpy) for point in curve.keyframe_points})
    first, last = (keys[0], keys[-1]) if keys else (scene.frame_start, scene.frame_end)
    whole = [float(first + step) for step in range(round(last - first) + 1)]
    return [float(key) for key in keys] if keys and len(whole) != expected else whole


def read_frame(items: list[Any], with_faces: bool) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of all objects one after the other, and their triangles, which deformation must not change."""
    positions, faces, count = [], [], 0
    for _, item, matrix in items:
        mesh = item.to_mesh()
        try:
            local = positions_of(mesh).astype(np.float64)
            positions.append(local @ matrix[:3, :3].T + matrix[:3, 3])
            if with_faces:
                faces.append(triangles_of(mesh, np.linalg.det(matrix[:3, :3]) < 0).faces + count)
            count += len(local)
        finally:
            item.to_mesh_clear()
    if not count or (with_faces and not sum(len(part) for part in faces)):
        raise RuntimeError("it holds no visible mesh object with faces")
    return np.concatenate(positions).astype(np.float32), np.concatenate(faces) if with_faces else np.empty(
        (0, 3), np.int32
    )
