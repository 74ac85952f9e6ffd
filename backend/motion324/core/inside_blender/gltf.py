"""The frame rate of what Blender's glTF exporter writes and its importer reads, which the add-on and the backend's
scripts see to alike.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEAR = 3e-4  # of the time: as far may the last key be from where it belongs


def export_at_rate(bpy: Any, path: Path, frames: int, export: Callable[[], Any]) -> None:
    """Calls export(), which writes the .glb `path`, such that its last key lies `frames` frames of the scene after 0 s.

    Blender's exporter, in 4.2 to 5.3, divides by fps * fps_base, while a second has fps / fps_base frames: at 23.976 or
    12.5 frames per second its animations would play at another speed. So it is given the inverse of the base, and the
    base itself where the time that it wrote says that it is right by now. Where neither fits, as where nothing moves at
    the end, the inverse stands.
    """
    render = bpy.context.scene.render
    base = render.fps_base
    wanted = frames * base / render.fps
    if base == 1:
        export()
        return
    try:
        for given in (1 / base, base, 1 / base):
            render.fps_base = given
            export()
            if abs(last_time(path) - wanted) <= NEAR * wanted:
                break
    finally:
        render.fps_base = base


def import_at_rate(bpy: Any, path: str, fps: float) -> None:
    """Imports a .gltf or .glb into a scene of `fps` frames per second, a second of it as so many frames.

    Blender's importer counts fps * fps_base frames in a second, as its exporter does.
    """
    render = bpy.context.scene.render
    render.fps = max(1, round(fps))
    base = 1.0 if abs(fps - render.fps) < 5e-4 * fps else render.fps / fps
    render.fps_base = 1 / base
    bpy.ops.import_scene.gltf(filepath=path)
    render.fps_base = base


def last_time(path: Path) -> float:
    """Of the keys in a .glb, in seconds; 0 where nothing moves."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<I", file.read(20)[12:16])
        header = json.loads(file.read(length))
    samplers = [sampler for animation in header.get("animations", ()) for sampler in animation["samplers"]]
    return max((header["accessors"][sampler["input"]]["max"][0] for sampler in samplers), default=0.0)
