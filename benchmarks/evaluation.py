"""How long scoring takes: 100 frames of 10,000 vertices at 50,000 samples a side. Prints one table.

    python benchmarks/evaluation.py [--devices cpu,cuda] [--frames 100] [--samples 50000]

The surface is a torus that bends; the prediction bends less. `distances` is the Chamfer distance with its F-scores,
samples included; `all measures` is what `motion324 evaluate` does with one clip, reading left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from motion324.evaluation.mesh_sequence import MeshSequence, sample_places
from motion324.evaluation.protocols import get_protocol
from motion324.evaluation.scoring import score
from motion324.evaluation.surface_scores import surface_scores

AROUND, ACROSS = 200, 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", default="cpu", help="separated by commas")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--samples", type=int, default=50_000)
    arguments = parser.parse_args()
    truth, predicted = bending_torus(arguments.frames, 0.6), bending_torus(arguments.frames, 0.4)
    protocol = dataclasses.replace(get_protocol("motion80"), samples=arguments.samples)
    print(f"{'device':8s} {'distances':>10s} {'all measures':>13s}   seconds for {arguments.frames} frames")
    for device in arguments.devices.split(","):
        short = [dataclasses.replace(side, positions=side.positions[:3]) for side in (truth, predicted)]
        score(short[0], short[1], protocol, device=device)  # compiles and warms up
        began = time.perf_counter()
        distances(truth, predicted, arguments.samples, device)
        between = time.perf_counter()
        score(truth, predicted, protocol, device=device)
        print(f"{device:8s} {between - began:10.1f} {time.perf_counter() - between:13.1f}", flush=True)
    return 0


def distances(truth: MeshSequence, predicted: MeshSequence, samples: int, device: str) -> None:
    for index, frames in enumerate(zip(truth.positions, predicted.positions, strict=True)):
        points = [
            sample_places(frame, truth.faces, samples, (0, side, index)).on(frame) for side, frame in enumerate(frames)
        ]
        surface_scores(points[0], points[1], (0.01, 0.02, 0.05), device)


def bending_torus(frames: int, reach: float) -> MeshSequence:
    u, v = np.meshgrid(
        np.linspace(0, 2 * np.pi, AROUND, False), np.linspace(0, 2 * np.pi, ACROSS, False), indexing="ij"
    )
    ring = 0.75 + 0.25 * np.cos(v)
    still = np.stack([ring * np.cos(u), 0.25 * np.sin(v), ring * np.sin(u)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(AROUND), np.arange(ACROSS), indexing="ij")
    a, b = i * ACROSS + j, i * ACROSS + (j + 1) % ACROSS
    c, d = (i + 1) % AROUND * ACROSS + (j + 1) % ACROSS, (i + 1) % AROUND * ACROSS + j
    faces = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))])
    phase = np.sin(np.linspace(0, 4 * np.pi, frames))
    positions = np.repeat(still[None], frames, axis=0)
    positions[..., 1] += reach * phase[:, None] * still[:, 0] ** 2
    return MeshSequence(positions.astype(np.float32), faces.astype(np.int32), Path("torus"))


if __name__ == "__main__":
    sys.exit(main())
