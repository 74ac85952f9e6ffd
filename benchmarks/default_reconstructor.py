"""Where the default's seconds go: by stage, idle and beside busy processes. Prints one table.

    python benchmarks/default_reconstructor.py [--frames 24,144] [--vertices 5000,20000,200000] [--busy 0,2]
        [--device auto] [--quality standard] [--example | --scenery] [--once] [--picture FILE.png]

A body with four lobes that bends and swells, of so many vertices, is filmed at 512 pixels before plain white by our own
rasteriser; --example takes examples/shiba.glb and its video instead, --scenery a video file of 854 x 480 pixels, in
which the body moves before a coloured pattern that stands still and a grain that does not. Each job runs in a process
of its own, mask and view found automatically; a second job of the same process is told as well, whose libraries are
loaded, code compiled and model kept: `again`. Seconds are of the clock, and in brackets of the processor. `first` is
the time until the first positions are handed out. --busy: so many processes that compute without end run beside it.

A rented machine is not always equally fast. So before each fresh job a fixed piece of work (products of matrices that
lie in a core's own memory) is timed, by one process and by two at once: `yardstick`. Compare rows of like ones.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLE = Path(__file__).parents[1] / "examples"
SIDE = 512
SHOWN = ("foreground", "view", "load", "reconstruct", "refine", "smooth")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="24,144", help="counts, separated by commas; 1000 takes long")
    parser.add_argument("--vertices", default="5000,20000,200000")
    parser.add_argument("--busy", default="0,2", help="busy processes beside it")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--example", action="store_true", help="our own example instead of made scenes")
    parser.add_argument("--scenery", action="store_true", help="a video file before scenery instead of frames on white")
    parser.add_argument("--once", action="store_true", help="no second job")
    parser.add_argument("--picture", type=Path, help="bars of the seconds by stage")
    arguments = parser.parse_args()
    sizes = [(0, 0)] if arguments.example else [(t, n) for t in _numbers(arguments.frames)
                                                for n in _numbers(arguments.vertices)]  # fmt: skip
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    print(f"{'frames':>6s} {'vertices':>8s} {'busy':>4s} {'job':6s} {'total':>14s} {'first':>6s} "
          + " ".join(f"{stage:>14s}" for stage in SHOWN) + f" {'GB':>5s}  on")  # fmt: skip
    rows = []
    how = (arguments.device, arguments.quality, arguments.scenery, 1 if arguments.once else 2)
    context = multiprocessing.get_context("spawn")
    for busy in _numbers(arguments.busy):
        loops = [context.Process(target=_spin, daemon=True) for _ in range(busy)]
        for loop in loops:
            loop.start()
        for size in sizes:
            if arguments.scenery:
                film_before_scenery(*size)
            one, two = (round(1e3 * yardstick(context, count)) for count in (1, 2))
            print(f"yardstick {one} ms, two at once {two} ms, load {os.getloadavg()[0]:.1f}", flush=True)
            with context.Pool(1) as pool:
                for row in pool.apply(measure, (*size, *how)):
                    rows.append({**row, "busy": busy})
                    print_row(rows[-1])
        for loop in loops:
            loop.terminate()
    if arguments.picture:
        draw(rows, arguments.picture)
    return 0


def measure(frames: int, vertices: int, device: str, quality: str, scenery: bool, jobs: int) -> list[dict[str, Any]]:
    """frames 0: the example. Of so many jobs, one after the other, what `print_row` shows."""
    from motion324.core.options.animate_options import AnimateOptions
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate

    if scenery:
        mesh, video = made_scene(2, vertices)[0], film_of(frames, vertices)
    elif frames:
        mesh, video = made_scene(frames, vertices)
    else:
        mesh, video = read_mesh(EXAMPLE / "shiba.glb"), EXAMPLE / "shiba.mp4"
    rows = []
    for job in ("fresh", "again")[:jobs]:
        clock, began = _ProcessorClock(), time.perf_counter()
        first: list[float] = []
        result = animate(
            mesh,
            video,
            AnimateOptions(device=device, quality=quality),
            progress=clock,
            on_frames=lambda _, first=first, began=began: first.append(time.perf_counter() - began),
        )
        seconds, processor = result.report["seconds"], clock.seconds()
        rows.append({
            "job": job, "frames": len(result.positions), "vertices": len(mesh.positions), "first": first[0],
            "total": (seconds["total"], sum(processor.values())),
            **{stage: (seconds.get(stage, 0.0), processor.get(stage, 0.0)) for stage in SHOWN},
            "gb": result.report["peak_memory_mb"] / 1e3, "device": result.report["reconstruction"]["device"],
        })  # fmt: skip
    return rows


def yardstick(context: Any, count: int) -> float:
    """Seconds that 400 products of matrices of 384 x 384 float32 take in the slowest of so many processes at once."""
    with context.Pool(count) as pool:
        pool.map(_multiply, [8] * count, chunksize=1)  # so that all have begun
        return max(pool.map(_multiply, [400] * count, chunksize=1))


def _multiply(times: int) -> float:
    from threadpoolctl import threadpool_limits

    values = np.random.default_rng(0).random((384, 384), np.float32)
    out = np.empty_like(values)
    with threadpool_limits(1):
        began = time.perf_counter()
        for _ in range(times):
            np.matmul(values, values, out=out)
        return time.perf_counter() - began


def print_row(row: dict[str, Any]) -> None:
    told = " ".join(f"{row[stage][0]:6.1f} ({row[stage][1]:5.1f})" for stage in SHOWN)
    print(f"{row['frames']:6d} {row['vertices']:8d} {row['busy']:4d} {row['job']:6s} "
          f"{row['total'][0]:6.1f} ({row['total'][1]:5.1f}) {row['first']:6.1f} {told} {row['gb']:5.2f}  "
          f"{row['device']}", flush=True)  # fmt: skip


def made_scene(frames: int, vertices: int) -> tuple[Any, Any]:
    """A mesh of about so many vertices, and the clip (VideoClip) that shows it moving."""
    from motion324.core.clip import VideoClip
    from motion324.core.reference_mesh import ReferenceMesh
    from motion324.core.view import look_at_origin
    from motion324.view.rasteriser import render

    rings = max(8, round(np.sqrt(vertices / 2)))
    around = max(8, round(vertices / rings))
    u, v = np.meshgrid((np.arange(rings) + 0.5) / rings, np.arange(around) / around, indexing="ij")
    lobes = 0.55 + 0.45 * np.cos(2 * 2 * np.pi * v) ** 2 * np.sin(np.pi * u) ** 2
    radius = 0.28 * np.sqrt(np.sin(np.pi * u)) * lobes
    places = np.stack([radius * np.cos(2 * np.pi * v), 0.5 - u, radius * np.sin(2 * np.pi * v)], axis=-1).reshape(-1, 3)
    row, column = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    a, b = row * around + column, row * around + (column + 1) % around
    quads = np.stack([a, b, b + around, a + around], axis=-1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    colours = 0.5 + 0.4 * np.sin(
        np.stack([17 * places[:, 1], 23 * places[:, 0] + 5 * places[:, 1], 19 * places[:, 2]], 1)
    )
    mesh = ReferenceMesh(places.astype(np.float32), faces, np.zeros(len(faces), np.int32),
                         vertex_colour=colours.astype(np.float32), name="made")  # fmt: skip
    view = look_at_origin(30.0, 10.0, 2.2, 50 / 36)
    pictures = []
    for t in range(frames):
        phase = np.sin(2 * np.pi * t / 24)
        bend = 0.9 * phase * places[:, 1]
        x, y = places[:, 0] * np.cos(bend) - 0.1 * phase * places[:, 1], places[:, 1] + places[:, 0] * np.sin(bend)
        pictures.append(render(np.stack([x, y, places[:, 2] * (1 + 0.15 * phase)], axis=1), mesh, view, SIDE, SIDE)[0])
    return mesh, VideoClip(np.stack(pictures), 24.0, np.arange(frames), name="made")


def film_of(frames: int, vertices: int) -> Path:
    return Path(tempfile.gettempdir()) / f"motion324-scenery-{frames}-{vertices}.mp4"


def film_before_scenery(frames: int, vertices: int) -> None:
    """Makes a video file in a process of its own, and keeps it for the next time: what filming takes is not to count as
    what the job takes."""
    path = film_of(frames, vertices)
    if not path.exists():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(_film_before_scenery, (path, frames, vertices))


def _film_before_scenery(path: Path, frames: int, vertices: int) -> None:
    import av
    import cv2

    shown = made_scene(min(frames, 24), vertices)[1].frames  # 24 are one turn of its motion
    rng = np.random.default_rng(0)
    width, height = 854, 480
    scenery = np.zeros((height, width, 3), np.float32)
    for cells in (4, 12, 40, 120):
        coarse = rng.normal(size=(cells, 2 * cells, 3)).astype(np.float32)
        scenery += 30 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    scenery += 110
    grain = rng.normal(0, 4, (8, height, width, 1)).astype(np.float32)
    aside = path.with_suffix(".making.mp4")
    with av.open(str(aside), "w") as file:
        stream = file.add_stream("libx264", rate=24, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(frames):
            body = cv2.resize(shown[t % len(shown)], (height, height), interpolation=cv2.INTER_AREA).astype(np.float32)
            solid = cv2.GaussianBlur((body.min(axis=2) < 250).astype(np.float32), (0, 0), 0.7)[..., None]
            picture = scenery.copy()
            left = round(187 + 60 * np.sin(2 * np.pi * t / 240))
            part = picture[:, left : left + height]
            part += solid * (body - part)
            picture = np.clip(picture + grain[t % len(grain)], 0, 255).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())
    aside.replace(path)


class _ProcessorClock:
    """A Progress that adds up the process's processor seconds by stage."""

    def __init__(self) -> None:
        self._stage, self._since, self._seconds = "read", time.process_time(), {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            now = time.process_time()
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
            self._stage, self._since = stage, now

    def seconds(self) -> dict[str, float]:
        self("", 0, 1)
        return dict(self._seconds)


COLOURS = ("#4c78a8", "#f58518", "#bab0ac", "#e45756", "#72b7b2", "#54a24b", "#9d755d")  # of SHOWN, and of all else
ROW, NAMES, BARS, HEAD = 26, 330, 640, 64  # pixels


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A bar for each job, of its seconds by stage."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (NAMES + BARS + 90, HEAD + ROW * len(rows) + 14), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    longest = max(row["total"][0] for row in rows)
    place = NAMES
    for stage, colour in zip((*SHOWN, "others"), COLOURS, strict=True):
        pen.rectangle((place, 34, place + 12, 46), fill=colour)
        pen.text((place + 17, 31), stage, "black", font)
        place += 27 + round(font.getlength(stage))
    pen.text((12, 8), "The default reconstructor: seconds by stage", "black", font)
    for number, row in enumerate(rows):
        top = HEAD + ROW * number
        busy = f", {row['busy']} busy" if row["busy"] else ""
        pen.text((12, top + 2), f"{row['frames']} x {row['vertices']:,}{busy}, {row['job']}", "black", font)
        stages = [row[stage][0] for stage in SHOWN]
        start = 0.0
        for seconds, colour in zip((*stages, max(0.0, row["total"][0] - sum(stages))), COLOURS, strict=True):
            left, right = (NAMES + BARS * value / longest for value in (start, start + seconds))
            pen.rectangle((left, top + 2, right, top + ROW - 6), fill=colour)
            start += seconds
        pen.text((NAMES + BARS * row["total"][0] / longest + 6, top + 2), f"{row['total'][0]:.1f}", "black", font)
    picture.save(path)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    sys.exit(main())
