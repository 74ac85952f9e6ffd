"""Exports an animated object to files that are the same again when they are read back.

FBX and GLB carry the animation as shape keys, Alembic and USD as one mesh per frame, PC2 and MDD as places of vertices.
What each setting below prevents was measured by importing the files again; tests/addon does so for every format.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.point_cache import Pc2Writer
from motion324.core.files.write_aside import explained_write_errors, told_full, write_error, written_aside
from motion324.core.inside_blender.gltf import export_at_rate
from motion324.core.inside_blender.operator_words import said_by_operator

from ..playing.timing import scene_fps
from ..reading.mesh_reading import checked_object
from . import as_it_is, export_size
from .export_formats import FORMATS, POINT_CACHES, Format, available
from .memory_file import in_memory_first
from .placing import metres_per_unit
from .proof import proven, reserve
from .sampling import sample_positions
from .stand_in import Report, images_as_files, only_selected, stand_in

Objects = Sequence[bpy.types.Object]


def export(
    obj: bpy.types.Object,
    path: Path,
    first: int,
    last: int,
    report: Report = lambda done, total: None,
    others: Objects = (),
) -> None:
    """Exports the object with its animation over the scene's frames first..last; the suffix chooses the format.

    `path` has the whole export, or stays as it was. others: objects that come along into the same file, which a point
    cache cannot have. report(done, total) counts sampled frames and may raise to stop.
    Raises Motion324Error: "export-format", "export-several", "export-unavailable", "export-failed", "cannot-write",
    "disk-full", or what `mesh_reading.checked_object` raises.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(FORMATS)
        raise Motion324Error(
            "export-format", f"'{path.name}' has no known export format.", f"Use {known}.", exit_code=EXIT_USAGE
        )
    if not available(kind):
        raise Motion324Error(
            "export-unavailable",
            f"This Blender was built without {kind.label} export.",
            "Use another format, or a Blender from blender.org.",
            EXIT_CANNOT_WRITE,
        )
    objects = [checked_object(each) for each in (obj, *others)]
    if others and path.suffix.lower() in POINT_CACHES:
        sentence = f"A {kind.label} holds one object, not {len(objects)}."
        raise Motion324Error("export-several", sentence, "Export them one by one.", EXIT_USAGE)
    export_to: dict[str, Callable[[Objects, Path, int, int, Report], None]] = {
        ".fbx": _export_fbx,
        ".glb": _export_glb,
        ".abc": _export_alembic,
        ".usd": _export_usd,
        ".pc2": _export_pc2,
        ".mdd": _export_mdd,
    }
    expected = export_size.expected(objects, path.suffix.lower(), first, last)
    with written_aside(path) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        reserve(path, aside, expected.bytes)
        try:
            export_to[path.suffix.lower()](objects, aside, first, last, report)
        except RuntimeError as error:  # how operators report their errors
            raise _failed(path, kind, said_by_operator(error)) from error
        except Motion324Error as error:
            if isinstance(error.__cause__, OSError):  # of the name that is written to
                raise write_error(path, error.__cause__) from error
            raise
        proven(path, aside, expected)


def _export_fbx(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    start = max(first, 0)
    with images_as_files(objects), _stand_ins(objects, first, last, start, report):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"MESH"},
            use_mesh_modifiers=False,  # with modifiers applied, shape keys would be lost
            bake_anim=True,
            bake_anim_use_nla_strips=False,  # with its default, or the next one's, shape-key animation is lost
            bake_anim_use_all_actions=False,
            bake_anim_step=1.0,
            bake_anim_simplify_factor=0.0,
            path_mode="COPY",
            embed_textures=True,
        )


def _export_glb(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    export = functools.partial(
        bpy.ops.export_scene.gltf,
        filepath=str(path),
        export_format="GLB",
        use_selection=True,
        export_apply=False,
        export_morph=True,
        export_morph_normal=True,
        export_morph_animation=True,
        export_animations=True,
        export_animation_mode="ACTIVE_ACTIONS",
        export_frame_range=True,
        export_force_sampling=True,
        export_optimize_animation_size=False,  # would drop keys of weights that seem not to change
    )
    with _stand_ins(objects, first, last, 0, report):  # a GLB begins with its animation
        export_at_rate(bpy, path, last - first, export)


def _export_alembic(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    size = export_size.expected(objects, ".abc", first, last).bytes
    scene = bpy.context.scene
    with contextlib.ExitStack() as stack:
        # On a disk that another program fills meanwhile it would end Blender.
        target = stack.enter_context(in_memory_first(path, size))
        if as_it_is.alembic_takes(objects, first, last):
            stack.enter_context(only_selected(objects))
            stack.enter_context(as_it_is.flagged_as_moving(objects))
        else:
            stack.enter_context(_stand_ins(objects, first, last, first, report, whole_or="USD"))
        stack.enter_context(_without_bytes())
        bpy.ops.wm.alembic_export(
            filepath=str(target),
            start=first,
            end=last,
            selected=True,
            flatten=False,
            uvs=True,
            vcolors=True,
            face_sets=True,
            apply_subdiv=True,  # else a subdivision that comes last is left to the receiving program
            evaluation_mode="VIEWPORT",  # what the artist sees
            global_scale=metres_per_unit(scene),  # of stand-ins' scene it is 1
            as_background_job=False,
        )
    report(last - first + 1, last - first + 1)


@contextlib.contextmanager
def _without_bytes() -> Iterator[None]:
    """Takes custom properties of bytes, such as those of takes, off for a while: Alembic takes them for texts, and a
    zero in one ends Blender.
    """
    owners = {owner for obj in bpy.data.objects for owner in (obj, obj.data) if owner is not None}
    found = [(owner, name, value) for owner in owners for name, value in owner.items() if isinstance(value, bytes)]
    found = [each for each in found if each[0].library is None]
    try:
        for owner, name, _ in found:
            del owner[name]
        yield
    finally:
        for owner, name, value in found:
            owner[name] = value


def _export_usd(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    with contextlib.ExitStack() as stack:
        if as_it_is.usd_takes(bpy.context.scene, objects, first, last):
            stack.enter_context(only_selected(objects))
            stack.enter_context(as_it_is.flagged_as_moving(objects))
            stack.enter_context(scene_range(first, last))
        else:
            stack.enter_context(_stand_ins(objects, first, last, max(first, 0), report, whole_or="Alembic"))
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            export_subdivision="TESSELLATE",  # as with Alembic
            export_shapekeys=False,  # as one mesh per frame instead: exact for every kind of animation
            export_materials=True,
            evaluation_mode="VIEWPORT",
            xform_op_mode="MAT",  # a place, a turn and a size would leave out what shears
        )
    report(last - first + 1, last - first + 1)


def _export_pc2(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    with (
        Pc2Writer(path, len(objects[0].data.vertices), float(first), 1.0) as writer,
        contextlib.closing(_sampled(objects[0], first, last, report)) as frames,
    ):
        for positions in frames:
            writer.append(positions[None])


def _export_mdd(objects: Objects, path: Path, first: int, last: int, report: Report) -> None:
    obj, fps = objects[0], scene_fps(bpy.context.scene)
    with contextlib.closing(_sampled(obj, first, last, report)) as frames:
        write_mdd(path, frames, last - first + 1, len(obj.data.vertices), fps)


def _sampled(obj: bpy.types.Object, first: int, last: int, report: Report) -> Generator[np.ndarray, None, None]:
    with contextlib.closing(sample_positions(obj, first, last)) as samples:  # which puts the scene back
        for frame, positions in samples:
            report(frame - first + 1, last - first + 1)
            yield positions


@contextlib.contextmanager
def _stand_ins(
    objects: Objects, first: int, last: int, start: int, report: Report, whole_or: str = ""
) -> Iterator[None]:
    """A stand-in for each object, all selected, the first one active, in a scene of metres that begins at `start` and
    whose time is not stretched."""
    frames = last - first + 1
    with contextlib.ExitStack() as stack:
        copies = []
        for index, obj in enumerate(objects):

            def count(done: int, total: int, before: int = index * frames) -> None:
                report(before + done, frames * len(objects))

            copies.append(stack.enter_context(stand_in(obj, first, last, start, count, whole_or)))
        stack.enter_context(only_selected(copies))
        stack.enter_context(scene_range(start, start + frames - 1))
        units, render = bpy.context.scene.unit_settings, bpy.context.scene.render
        stack.callback(setattr, units, "scale_length", units.scale_length)
        units.scale_length = 1.0  # else the FBX exporter scales once more
        stack.callback(setattr, render, "frame_map_new", render.frame_map_new)
        render.frame_map_new = render.frame_map_old  # else the keys would be stretched once more
        yield


@contextlib.contextmanager
def scene_range(first: int, last: int) -> Iterator[None]:
    """Exporters take the scene's own range; it is put back at the end."""
    scene = bpy.context.scene
    before = scene.frame_start, scene.frame_end, scene.use_preview_range, scene.frame_current
    scene.use_preview_range = False
    scene.frame_start, scene.frame_end = first, last
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end, scene.use_preview_range = before[:3]
        scene.frame_set(before[3])


def _failed(path: Path, kind: Format, why: str) -> Motion324Error:
    if full := told_full(path, why):
        return full
    sentence = f"Blender's {kind.label} exporter could not write '{path}': {why}."
    return Motion324Error("export-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)


def write_mdd(path: Path, frames: Iterable[np.ndarray], frame_count: int, point_count: int, fps: float) -> None:
    """Writes `frame_count` frames of positions (N, 3), the first at 0 seconds.

    Raises Motion324Error("disk-full" or "cannot-write"); ValueError where the frames are not as announced.
    """
    written = 0
    with explained_write_errors(path), path.open("wb") as file:
        file.write(np.array([frame_count, point_count], ">i4").tobytes())
        file.write((np.arange(frame_count) / fps).astype(">f4").tobytes())
        for positions in frames:
            if positions.shape != (point_count, 3):
                raise ValueError(f"positions {positions.shape} are not ({point_count}, 3)")
            file.write(positions.astype(">f4").tobytes())
            written += 1
    if written != frame_count:
        raise ValueError(f"{written} frames came, not {frame_count}")
