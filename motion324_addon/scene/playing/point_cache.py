"""Plays an animation as a point cache, kept or as it arrives: a PC2 file, and the Mesh Cache modifier that plays it.

What arrives lies in Blender's temporary folder, and is played by a modifier that Discard removes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.point_cache import Pc2Writer
from motion324.core.files.write_aside import explained_write_errors, written_aside

from ..reading import modifier_stack
from .animation import Target
from .timing import Timing

KEPT = "Motion324"
PREVIEW = "Motion324 Preview"
STEP_BYTES = 4 << 20  # of a cache file that is written at once


def keep(obj: bpy.types.Object, positions: np.ndarray, timing: Timing, path: Path) -> bpy.types.Modifier:
    """Writes positions (T, N, 3), object space, to `path` and plays them by a modifier that stays.

    Raises Motion324Error("disk-full" or "cannot-write"); nothing is changed then.
    """
    write(positions, timing, path)
    return play(obj, path, timing, KEPT)


def write(positions: np.ndarray, timing: Timing, path: Path) -> None:
    """Writes positions (T, N, 3), object space, to `path`, all at once; see `write_in_steps`."""
    for _ in write_in_steps(positions, timing, path):
        pass


def write_in_steps(positions: np.ndarray, timing: Timing, path: Path) -> Iterator[tuple[int, int]]:
    """Writes positions (T, N, 3), object space, to `path`; makes its folder. Steps of (done, total).

    Closing it before its end leaves no file, and no empty folder. Raises Motion324Error("disk-full" or "cannot-write").
    """
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    at_once = max(1, STEP_BYTES // max(positions[0].nbytes, 1))
    try:
        with written_aside(path) as aside, Pc2Writer(aside, positions.shape[1], timing.start, timing.step) as writer:
            for first in range(0, len(positions), at_once):
                yield first, len(positions)
                writer.append(positions[first : first + at_once])
    except BaseException:
        _remove_empty(path.parent)
        raise


def remove(path: Path) -> None:
    """Takes away a cache that nothing plays, and its folder where that is empty then."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    _remove_empty(path.parent)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # other caches lie in it
        folder.rmdir()


def play(obj: bpy.types.Object, path: Path, timing: Timing, name: str) -> bpy.types.Modifier:
    """Adds a Mesh Cache modifier that shows sample k of the file at frame `timing.frame(k)`.

    It comes after all that deforms the mesh and before anything that changes its topology: the file has a place for
    every vertex of the mesh as it is there, and no other.
    """
    place = modifier_stack.leading_count(obj)
    modifier = obj.modifiers.new(name, "MESH_CACHE")
    obj.modifiers.move(len(obj.modifiers) - 1, place)
    modifier.show_expanded = False
    modifier.cache_format = "PC2"
    modifier.deform_mode = "OVERWRITE"
    modifier.interpolation = "LINEAR"
    # Object space in Blender's own axes: the modifier then does not turn anything.
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    # Shown sample = scene frame * scale - start, as Blender's source has it for this mode (MOD_meshcache.cc).
    modifier.time_mode, modifier.play_mode = "FRAME", "SCENE"
    set_source(modifier, path, timing)
    return modifier


def set_source(modifier: bpy.types.Modifier, path: Path, timing: Timing) -> None:
    """Has a Mesh Cache modifier that `play` made show this file."""
    modifier.frame_scale = 1.0 / timing.step
    modifier.frame_start = timing.start / timing.step
    modifier.filepath = _path_in_blend(path)


def free_path(obj: bpy.types.Object, folder: Path | None = None, taken: Collection[Path] = ()) -> Path:
    """A name for a new cache file of the object that is not `taken`: in `folder`, or else beside the .blend.

    Raises Motion324Error("blend-not-saved") where there is neither.
    """
    if folder is None:
        if not bpy.data.filepath:
            raise Motion324Error(
                "blend-not-saved",
                "A point cache is a file beside the .blend, but this .blend has not been saved yet.",
                "Save it, then keep the point cache; or keep shape keys.",
                EXIT_CANNOT_WRITE,
            )
        blend = Path(bpy.data.filepath)
        folder = blend.parent / f"{blend.stem}_motion324"
    stem = bpy.path.clean_name(obj.name)
    names = (f"{stem}.pc2", *(f"{stem}.{number:03d}.pc2" for number in range(1, 10_000)))
    return next(folder / name for name in names if not (folder / name in taken or (folder / name).exists()))


def _path_in_blend(path: Path) -> str:
    """Relative to the .blend where the file lies beside or below it, so that both can be moved together."""
    if bpy.data.filepath:
        folder = Path(bpy.data.filepath).resolve().parent
        if path.resolve().is_relative_to(folder):
            return "//" + path.resolve().relative_to(folder).as_posix()
    return str(path)


@dataclass(frozen=True)
class Preview:
    """What one object shows. path: a PC2 file."""

    target: Target
    path: Path
    timing: Timing


def show_preview(preview: Preview) -> None:
    """Plays the file on the object, in place of what was previewed there before; nothing where the object is gone."""
    obj = preview.target.find()
    if obj is None:
        return
    modifier = obj.modifiers.get(PREVIEW)
    if modifier is None:
        play(obj, preview.path, preview.timing, PREVIEW)
    else:
        set_source(modifier, preview.path, preview.timing)


def refresh_preview(preview: Preview, changed_from: int) -> None:
    """Has Blender read the file again where the scene's frame shows a frame from `changed_from` on."""
    obj = preview.target.find()
    if obj is None or obj.modifiers.get(PREVIEW) is None:
        return
    sample = (bpy.context.scene.frame_current_final - preview.timing.start) / preview.timing.step
    if math.ceil(sample) >= changed_from:
        obj.update_tag(refresh={"DATA"})


def hide_preview(obj: bpy.types.Object) -> None:
    """Removes the preview; the object is as it was."""
    modifier = obj.modifiers.get(PREVIEW)
    if modifier is not None:
        obj.modifiers.remove(modifier)


@contextlib.contextmanager
def previews_hidden(previews: Iterable[Preview]) -> Iterator[None]:
    """Takes these away for a while."""
    previews = tuple(previews)
    for preview in previews:
        obj = preview.target.find()
        if obj is not None:
            hide_preview(obj)
    try:
        yield
    finally:
        for preview in previews:
            show_preview(preview)


def settle_previews(previews: Iterable[Preview]) -> None:
    """Shows exactly these: after undo and redo, after a file was opened or saved, and on copies of objects."""
    previews = tuple(previews)
    known = {preview.target.uid for preview in previews}
    for obj in bpy.data.objects:
        if obj.type == "MESH" and obj.library is None and obj.session_uid not in known:
            hide_preview(obj)
    for preview in previews:
        show_preview(preview)
