"""Exports of an animated object that are the same again when they are read back.

FBX and GLB carry the animation as shape keys, Alembic and USD as one mesh per frame. What each setting below prevents
was measured by importing the files again; tests/addon does so for every format.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.write_aside import written_aside

from .image_files import images_as_files
from .mesh_reading import checked_object
from .stand_in import Report, only_selected, stand_in


@dataclass(frozen=True)
class Format:
    """operator: the name in bpy.ops that has to exist. carries: what becomes of the animation, for the dialog."""

    label: str
    operator: tuple[str, str]
    carries: str


FORMATS = {
    ".fbx": Format("FBX", ("export_scene", "fbx"), "shape keys; no modifiers that change topology"),
    ".glb": Format(
        "GLB", ("export_scene", "gltf"), "shape keys; no modifiers that change topology; large for long clips"
    ),
    ".abc": Format(
        "Alembic", ("wm", "alembic_export"), "one mesh per frame, exactly, with all modifiers; no materials"
    ),
    ".usd": Format("USD", ("wm", "usd_export"), "one mesh per frame, exactly, with all modifiers and materials"),
}


def export(obj: bpy.types.Object, path: Path, first: int, last: int, report: Report = lambda done, total: None) -> None:
    """Exports the object with its animation over the scene's frames first..last; the suffix chooses the format.

    `path` has the whole export, or stays as it was. report(done, total) counts sampled frames and may raise to stop.
    Raises Motion324Error: "export-format", "export-unavailable", "export-failed", "cannot-write", "disk-full", or what
    `mesh_reading.checked_object` raises.
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
    checked_object(obj)
    export_to = {".fbx": _export_fbx, ".glb": _export_glb, ".abc": _export_alembic, ".usd": _export_usd}
    with written_aside(path) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _scene_range(first, last):
                export_to[path.suffix.lower()](obj, aside, first, last, report)
        except RuntimeError as error:  # how operators report their errors
            raise _failed(path, kind, str(error)) from error
        if not aside.exists():
            raise _failed(path, kind, "it wrote no file")


def available(kind: Format) -> bool:
    """Whether this Blender has the exporter: some distributions leave Alembic and USD out."""
    module, name = kind.operator
    return name in dir(getattr(bpy.ops, module))


def _export_fbx(obj: bpy.types.Object, path: Path, first: int, last: int, report: Report) -> None:
    with images_as_files(obj), stand_in(obj, first, last, report):
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


def _export_glb(obj: bpy.types.Object, path: Path, first: int, last: int, report: Report) -> None:
    with stand_in(obj, first, last, report):
        bpy.ops.export_scene.gltf(
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


def _export_alembic(obj: bpy.types.Object, path: Path, first: int, last: int, report: Report) -> None:
    with only_selected(obj):
        bpy.ops.wm.alembic_export(
            filepath=str(path),
            start=first,
            end=last,
            selected=True,
            flatten=False,
            uvs=True,
            face_sets=True,
            evaluation_mode="VIEWPORT",  # what the artist sees
            as_background_job=False,
        )
    report(last - first + 1, last - first + 1)


def _export_usd(obj: bpy.types.Object, path: Path, first: int, last: int, report: Report) -> None:
    with only_selected(obj):
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            export_shapekeys=False,  # as one mesh per frame instead: exact for every kind of animation
            export_materials=True,
            evaluation_mode="VIEWPORT",
        )
    report(last - first + 1, last - first + 1)


@contextlib.contextmanager
def _scene_range(first: int, last: int) -> Iterator[None]:
    """Exporters take the scene's own range; it is put back at the end."""
    scene = bpy.context.scene
    before = scene.frame_start, scene.frame_end, scene.use_preview_range, scene.frame_current
    scene.use_preview_range = False
    scene.frame_start, scene.frame_end = min(first, last), last
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end, scene.use_preview_range = before[:3]
        scene.frame_set(before[3])


def _failed(path: Path, kind: Format, why: str) -> Motion324Error:
    lines = [line.removeprefix("Error: ").strip() for line in why.strip().splitlines() if line.strip()]
    reason = lines[-1].rstrip(".") if lines else "no reason was given"
    sentence = f"Blender's {kind.label} exporter could not write '{path}': {reason}."
    return Motion324Error("export-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)
