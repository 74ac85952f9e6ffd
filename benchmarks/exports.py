"""How long the exports of an animation take, and how large they become. Prints one table.

    .venv-blender/bin/python benchmarks/exports.py [--frames 128] [--segments 200]

A ball that moves everywhere, kept as a point cache, is exported to every format. "Blender's exporter" is the part of
the time that is spent in Blender's own operator; the rest samples the animation and bakes it onto a copy.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "backend")]

import bpy  # noqa: E402  it and the next are found only on the path above
import numpy as np  # noqa: E402

from motion324_addon.scene.exporting import export, export_formats, export_size  # noqa: E402
from motion324_addon.scene.playing import point_cache  # noqa: E402
from motion324_addon.scene.playing.timing import Timing  # noqa: E402

TARGET = 60.0  # seconds, for FBX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--segments", type=int, default=200, help="of the ball; 200 make 19,802 vertices")
    arguments = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory(prefix="motion324-exports-") as folder:
        ball = moving_ball(Path(folder), arguments.frames, arguments.segments)
        for suffix, kind in export_formats.FORMATS.items():
            if not export_formats.available(kind):
                continue
            estimated = export_size.estimate([ball], suffix, 1, arguments.frames)
            path, spent = Path(folder) / f"ball{suffix}", Spent(kind.operator)
            began = time.monotonic()
            with spent:
                export.export(ball, path, 1, arguments.frames)
            seconds, size = time.monotonic() - began, path.stat().st_size
            table.append((kind.label, seconds, spent.seconds, size / 1e6, estimated / size))
            path.unlink()
        vertices = len(ball.data.vertices)
    print(f"\nBlender {bpy.app.version_string}, {arguments.frames} frames of {vertices:,} vertices, flat shaded")
    print("| format | seconds | of them Blender's exporter | MB | estimate / size |")
    print("|---|---|---|---|---|")
    for label, seconds, own, megabytes, ratio in table:
        print(f"| {label} | {seconds:.1f} | {own:.1f} | {megabytes:.1f} | {ratio:.2f} |")
    print(f"The target is FBX in under {TARGET:.0f} s.", flush=True)


def moving_ball(folder: Path, frames: int, segments: int) -> bpy.types.Object:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=segments, ring_count=segments // 2)
    ball = bpy.context.object
    still = np.empty((len(ball.data.vertices), 3), np.float32)
    ball.data.vertices.foreach_get("co", still.ravel())
    swing = np.sin(3 * still[:, [1, 2, 0]]) * 0.2
    positions = np.stack([still * (1 + 0.003 * t) + np.sin(0.4 * t) * swing for t in range(frames)]).astype(np.float32)
    point_cache.keep(ball, positions, Timing(1.0, 1.0, frames), folder / "cache.pc2")
    return ball


class Spent:
    """Counts the seconds in an operator of bpy.ops while it is entered; in none for None."""

    def __init__(self, operator: tuple[str, str] | None) -> None:
        self.seconds = 0.0
        self._operator = operator
        self._call: Callable[..., Any] | None = None

    def __enter__(self) -> None:
        if self._operator is None:
            return
        wrapped = type(bpy.ops.wm.save_mainfile)
        self._call = wrapped.__call__
        name = ".".join(self._operator)

        def timed(operator: Any, *arguments: Any, **keywords: Any) -> Any:
            began = time.monotonic()
            try:
                return call(operator, *arguments, **keywords)
            finally:
                if operator.idname_py() == name:
                    self.seconds += time.monotonic() - began

        call = self._call
        wrapped.__call__ = timed

    def __exit__(self, *error: object) -> None:
        if self._call is not None:
            type(bpy.ops.wm.save_mainfile).__call__ = self._call


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender as a module may hang or crash while Python ends after a glTF export
