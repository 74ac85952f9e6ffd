"""Tells where files are written to, and lists those that the scene lives on, which none of them may replace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.input_files import InputFile, check_inputs_stay, inputs_of_job

from ..job.runner import runner
from ..scene.playing import kept_note
from .source_video import lies_beside_nothing


def target_of(path: str) -> Path:
    """A file or folder to be written, as a dialog or a script has it: absolute.

    Raises Motion324Error("blend-unsaved") where it is relative to a .blend that lies nowhere: Blender would write it
    into whatever folder it was started from.
    """
    if lies_beside_nothing(path):
        sentence = f"'{path}' is to lie beside the .blend, which has not been saved yet."
        raise Motion324Error("blend-unsaved", sentence, "Save it, or give the whole path.", EXIT_CANNOT_WRITE)
    return Path(bpy.path.abspath(path))


def check_targets(targets: Iterable[Path]) -> None:
    """Raises Motion324Error("overwrites-input") where one of the files to be written is one that the scene lives on."""
    check_inputs_stay(targets, _inputs())


def _inputs() -> Iterator[InputFile]:
    """Videos and masks of settings, jobs and kept animations; the .blend, which holds the meshes; and what it uses."""
    for scene in bpy.data.scenes:
        for kind, path in (("video", scene.motion324.video), ("masks", scene.motion324.mask_path)):
            if path:
                yield InputFile(kind, Path(bpy.path.abspath(path)))
    for order in runner.orders.values():
        yield from inputs_of_job(None, order.video, order.options)
    for obj in bpy.data.objects:
        source = kept_note.read_source(obj)
        if source is not None:
            yield InputFile("video", source.video)
    if bpy.data.filepath:
        yield InputFile(".blend with the mesh", Path(bpy.data.filepath))
    for path in bpy.utils.blend_paths(absolute=True, packed=False, local=False):
        yield InputFile("file of this scene", Path(path))
