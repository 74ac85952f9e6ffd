"""Draws pictures of the object from all sides while it moves."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_BAD_MESH, EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.options.turntable_settings import (
    FOUR_VIEWS,
    SEPARATE,
    USUAL,
    Turntable,
    check_settings,
    is_video,
    quarters,
    written,
)

from ..exporting import sampling
from ..exporting.picture_file import whole_picture
from ..playing.timing import scene_fps
from ..reading.mesh_reading import checked_object
from . import video_encoding
from .studio import Lighting, Studio
from .video_encoding import encode_video


@dataclass(frozen=True)
class _Picture:
    """frame: of the scene. azimuths: degrees, of the views in it. path: where it is written."""

    frame: int
    azimuths: tuple[float, ...]
    path: Path


def render_turntable(
    obj: bpy.types.Object,
    path: Path,
    first: int,
    last: int,
    settings: Turntable = USUAL,
    others: Sequence[bpy.types.Object] = (),
) -> Iterator[tuple[int, int]]:
    """Renders the scene's frames first..last to an .mp4, or to PNG pictures where `path` is a folder or has no suffix.

    others: what is shown beside the object. Yields (done, total) after each picture; closing the generator stops and
    leaves nothing behind. The scene stays as it is. SEPARATE views go to NAME_000.mp4, NAME_090.mp4 and so on, or to
    folders 000, 090 and so on in `path`.
    Raises Motion324Error: "no-renderer", "turntable-path", "turntable-transparent", "turntable-setting",
    "object-invisible", or what `encode_video`, `whole_picture` and `mesh_reading.checked_object` raise.
    """
    objects = [checked_object(each) for each in (obj, *others)]
    path = Path(path)
    check_settings(path, settings)
    check_renderer(settings.engine)
    fps = settings.fps or scene_fps(bpy.context.scene)
    with (
        tempfile.TemporaryDirectory(prefix="motion324-turntable-") as scratch,
        _studio(objects, first, last, settings) as studio,
    ):
        series = _plan(Path(scratch), first, last, settings, fps)
        total = sum(len(pictures) for pictures in series.values())
        done = 0
        for pictures in series.values():
            for picture in pictures:
                _render(studio, picture)
                done += 1
                yield done, total
        for pictures, target in zip(series.values(), written(path, settings), strict=True):
            paths = [picture.path for picture in pictures]
            if is_video(path):
                encode_video(paths, target, fps)
            else:
                _hand_over(paths, target)


def files(path: Path, first: int, last: int, settings: Turntable) -> list[Path]:
    """Every file that `render_turntable` writes."""
    if is_video(path):
        return written(path, settings)
    fps = settings.fps or scene_fps(bpy.context.scene)
    return [picture.path for series in _plan(path, first, last, settings, fps).values() for picture in series]


def check_renderer(engine: str) -> None:
    """Raises Motion324Error("no-renderer") where the engine would end the process instead of rendering.

    Workbench and EEVEE draw through OpenGL. Without a window they reach it by EGL, on Linux.
    """
    if engine == "CYCLES" or not bpy.app.background or not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise Motion324Error(
            "no-renderer",
            f"{engine.capitalize()} cannot render without a window here: the library libEGL is missing.",
            "Install it (Debian, Ubuntu: apt install libegl1 libgl1-mesa-dri), or choose Cycles.",
            EXIT_CANNOT_WRITE,
        ) from error


def _plan(folder: Path, first: int, last: int, settings: Turntable, fps: float) -> dict[str, list[_Picture]]:
    """The pictures of each video or folder, by what is added to its name."""
    length = last - first + 1
    count = max(1, round(settings.seconds * fps)) if settings.seconds else length

    def series(name: str, azimuths: Sequence[Sequence[float]]) -> list[_Picture]:
        return [
            _Picture(first + index % length, tuple(azimuths[index]), folder / name / f"{first + index:04d}.png")
            for index in range(count)
        ]

    if settings.layout == FOUR_VIEWS:
        return {"": series("", [quarters(settings)] * count)}
    if settings.layout == SEPARATE:
        return {f"{azimuth:03.0f}": series(f"{azimuth:03.0f}", [[azimuth]] * count) for azimuth in quarters(settings)}
    return {"": series("", [[settings.azimuth + 360 * settings.turns * index / count] for index in range(count)])}


def _render(studio: Studio, picture: _Picture) -> None:
    with explained_write_errors(picture.path):
        picture.path.parent.mkdir(parents=True, exist_ok=True)
    if len(picture.azimuths) == 1:
        with whole_picture(picture.path):
            studio.render(picture.frame, picture.azimuths[0], picture.path)
        return
    views = [picture.path.with_suffix(f".{number}.png") for number in range(len(picture.azimuths))]
    for azimuth, view in zip(picture.azimuths, views, strict=True):
        with whole_picture(view):
            studio.render(picture.frame, azimuth, view)
    with whole_picture(picture.path):
        video_encoding.tile(views, picture.path, columns=2)
    for view in views:
        view.unlink()


def _hand_over(pictures: list[Path], folder: Path) -> None:
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            with written_aside(folder / picture.name) as aside:
                shutil.copyfile(picture, aside)


@contextlib.contextmanager
def _studio(objects: list[bpy.types.Object], first: int, last: int, settings: Turntable) -> Iterator[Studio]:
    extent = sampling.extent_in_world(objects, first, last)
    if not extent.radius + extent.half_height > 0:
        names = ", ".join(f"'{obj.name}'" for obj in objects)
        raise Motion324Error("object-invisible", f"{names} has no size.", "Choose another object.", EXIT_BAD_MESH)
    hidden = [obj.hide_render for obj in objects]
    for obj in objects:
        obj.hide_render = False
    lighting = Lighting(settings.engine, settings.look, settings.samples)
    studio = Studio(objects, extent, settings.size, settings.elevation, lighting)
    try:
        yield studio
    finally:
        studio.take_down()
        for obj, before in zip(objects, hidden, strict=True):
            obj.hide_render = before
