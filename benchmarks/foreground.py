"""How near the masks come to the truth, and how fast. Prints one table.

    python benchmarks/foreground.py [--release DIR] [--clips NAME,NAME] [--frames 12] [--side 720]

DIR is a benchmark in Motion80's layout whose masks/ hold the truth. Of each clip, so many frames are taken, evenly
spread, with --side enlarged to so many pixels. Columns, as mean intersection over union of the masks above one half:
    rembg       rembg's own answer (u2netp, `session.predict`) with the truth, on up to 4 of the frames
    network     our computation of the same network alone, with the truth
    same        both with each other, on those frames
    rembg mode  what `--mask rembg` delivers; worst: its worst frame
    auto        what `--mask auto` delivers, and by which way
Seconds a frame are processor seconds over the number of cores, which is what idle cores take: of the network alone, and
of all of `--mask rembg`. Beside them the seconds that passed on the clock.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from clips_with_truth import DEFAULT_RELEASE, clip_names
from PIL import Image

from motion324.core.clip import VideoClip
from motion324.core.processes.machine import processor_count
from motion324.core.progress import silent
from motion324.video.decoding import read_video
from motion324.video.foreground import find_masks
from motion324.video.foreground.rembg_model import new_session
from motion324.video.foreground.saliency import MODEL_FILE, load_network, salient_masks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, default=DEFAULT_RELEASE)
    parser.add_argument("--clips", help="names, separated by commas; default: all")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--side", type=int, help="pixels of the longer side; default: the clips' own")
    arguments = parser.parse_args()
    if not (arguments.release / "masks").is_dir():
        print(f"No true masks at {arguments.release}: nothing measured.")
        return 0
    os.environ["U2NET_HOME"] = str(MODEL_FILE.parent)
    session = new_session("u2netp")
    load_network()
    print(f"{'clip':24s} {'rembg':>6s} {'network':>8s} {'same':>6s} {'rembg mode':>11s} {'worst':>6s} {'auto':>6s} "
          f"{'by':>6s} {'network s':>10s} {'(clock)':>8s} {'all s':>6s} {'(clock)':>8s}")  # fmt: skip
    names = arguments.clips.split(",") if arguments.clips else clip_names(arguments.release)
    rows = []
    for name in names:
        clip, truth = load(arguments.release, name, arguments.frames, arguments.side)
        some = np.unique(np.linspace(0, len(truth) - 1, 4).round().astype(int))
        theirs = np.stack([np.asarray(session.predict(Image.fromarray(clip.frames[k]))[0]) for k in some]) / 255.0
        network, network_seconds = timed(lambda clip=clip: salient_masks(clip.frames, silent), len(truth))
        found, seconds = timed(lambda clip=clip: find_masks(clip, "rembg").masks, len(truth))
        auto = find_masks(clip)
        delivered = overlaps(found, truth)
        row = [
            overlaps(theirs, truth[some]).mean(), overlaps(network, truth).mean(),
            overlaps(stretched(network[some]), theirs > 0.5).mean(), delivered.mean(), delivered.min(),
            overlaps(auto.masks, truth).mean(), *network_seconds, *seconds,
        ]  # fmt: skip
        rows.append(row)
        print_row(name, row, auto.method)
        for warning in auto.warnings:
            print("   ", warning["sentence"])
    print_row(f"mean of {len(rows)}", np.mean(rows, axis=0).tolist(), "")
    return 0


def load(release: Path, name: str, count: int, side: int | None) -> tuple[VideoClip, np.ndarray]:
    """The clip, and its true masks (T, H, W) bool."""
    packed = np.load(release / "masks" / f"{name}.npz")
    frames, height, width = packed["shape"]
    truth = np.unpackbits(packed["packed"], axis=1)[:, : height * width].reshape(frames, height, width).astype(bool)
    clip = read_video(release / "videos" / f"{name}.mp4", (0, None, max(1, int(frames) // count)))
    truth = truth[clip.frame_numbers]
    if side is None:
        return clip, truth
    scale = side / max(height, width)
    size = (round(width * scale), round(height * scale))
    larger = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in clip.frames])
    masks = np.stack([cv2.resize(mask.astype(np.float32), size) > 0.5 for mask in truth])
    return dataclasses.replace(clip, frames=larger), masks


def timed(work: Callable[[], np.ndarray], frames: int) -> tuple[np.ndarray, tuple[float, float]]:
    """The result; seconds a frame on idle cores and on the clock."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (
        (time.process_time() - processor) / frames / processor_count(),
        (time.perf_counter() - clock) / frames,
    )


def stretched(masks: np.ndarray) -> np.ndarray:
    """Each to the full range from 0 to 1, as rembg does."""
    low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
    return (masks - low) / np.maximum(high - low, 1e-6)


def overlaps(masks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(T,) intersection over union."""
    solid = masks > 0.5
    return (solid & truth).sum(axis=(1, 2)) / np.maximum((solid | truth).sum(axis=(1, 2)), 1)


def print_row(name: str, row: list[float], method: str) -> None:
    rembg, network, same, delivered, worst, auto, network_idle, network_clock, idle, clock = row
    print(f"{name:24s} {rembg:6.3f} {network:8.3f} {same:6.3f} {delivered:11.3f} {worst:6.3f} {auto:6.3f} {method:>6s} "
          f"{network_idle:10.3f} {network_clock:8.3f} {idle:6.3f} {clock:8.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
