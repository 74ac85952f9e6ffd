"""Keeps the result of a job file's item in the scene, and writes the files that the item asks for."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.jobs.job_item import BONES, POINT_CACHE, JobItem
from motion324.core.processes.interruption import look
from motion324.core.result import AnimationResult

from ..job import keeping_bones
from ..job.rig_request import waited_for
from ..scene.exporting import blend_file, engine_rig, export, export_formats, rig_export, vertex_textures
from ..scene.playing import keeping, point_cache
from ..scene.playing.animation import Animation
from ..scene.showing import turntable
from ..settings import preferences


def losses_of(item: JobItem, obj: bpy.types.Object, animation: Animation) -> dict[str, list[str]]:
    """What formats among the outputs cannot carry of the object, in sentences."""
    first, _ = animation.timing.whole_frames
    kinds = [name for name in item.outputs if f".{name}" in export_formats.FORMATS]
    told = {name: list(export_formats.losses(obj, f".{name}", first)) for name in kinds}
    return {name: sentences for name, sentences in told.items() if sentences}


def keep(item: JobItem, animation: Animation) -> tuple[str, ...]:
    """As shape keys, point cache or bones; what is to be told of it. Raises Motion324Error, Cancelled."""
    scene = bpy.context.scene
    first, last = animation.timing.whole_frames
    scene.frame_start, scene.frame_end = first, last
    if item.keep == POINT_CACHE:
        _save_with_cache(item.outputs["blend"], animation)
    elif item.keep in BONES:
        wish = keeping_bones.Wish(item.keep, item.rig, preferences.connection())
        kept = waited_for(keeping_bones.keep([animation], wish))
        return (kept.said, *kept.warnings)
    else:
        for _ in keeping.keep_as_shape_keys(animation):
            look()
    return ()


def write_outputs(item: JobItem, obj: bpy.types.Object, animation: Animation) -> None:
    """All but what is written before: an overlay, and a .blend with a point cache. Raises Motion324Error, Cancelled."""
    first, last = animation.timing.whole_frames
    for name, path in item.outputs.items():
        look()
        if name == "overlay" or (name == "blend" and item.keep == POINT_CACHE):
            continue
        if name == "blend":
            blend_file.save(path)
        elif name == "npz":
            write_trajectory(path, obj, animation)
        elif name == "rig" and item.engine is not None:
            engine_rig.export_for_engine(obj, path, first, last, item.engine, item.edits)
        elif name == "rig":
            rig_export.export_rig(obj, path, first, last)
        elif name == "turntable":
            for _ in turntable.render_turntable(obj, path, first, last, item.turntable):
                look()
        elif name == "vat":
            vertex_textures.export_vertex_textures(obj, path, first, last, item.vat)
        else:
            export.export(obj, path, first, last, lambda done, total: look())


def _save_with_cache(path: Path, animation: Animation) -> None:
    """Saves the .blend also before there is a cache, so that it finds that beside itself, wherever both are moved."""
    with blend_file.given_back(path):
        blend_file.save(path)
        cache = keeping.keep_as_point_cache(animation)
        try:
            blend_file.save(path, backup=False)
        except BaseException:
            point_cache.remove(cache)
            raise


def write_trajectory(path: Path, obj: bpy.types.Object, animation: Animation) -> None:
    """Writes `trajectory.npz`, see `motion324.core.files.trajectory_file`: object space, Blender's vertex order.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    mesh = obj.data
    mesh.calc_loop_triangles()
    faces = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces.ravel())
    result = AnimationResult(
        animation.positions,
        animation.frame_numbers,
        animation.fps,
        animation.view,
        animation.report,
        animation.camera_to_first,
    )
    save_trajectory(path, result, faces)
