"""A small thing that moves, as a mesh file and a video of it, and the command line as users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_once import made_once

from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.core.view import look_at_origin
from motion324.view.rasteriser import render

FRAMES, SIZE = 7, 256
VIEW = look_at_origin(40.0, 15.0, 2.2, 1.5)


@dataclass(frozen=True)
class Example:
    """mesh: a PLY file with vertex colours. video: a folder of images. truth (T, N, 3): in the file's coordinates."""

    mesh: Path
    video: Path
    truth: np.ndarray


@pytest.fixture(scope="session")
def bending(tmp_path_factory) -> Example:
    """A spotted body with a thick and a thin end, that bends."""
    folder = tmp_path_factory.mktemp("bending")
    mesh = spotted_body()
    truth = np.stack([bent(mesh.positions, 0.5 * np.sin(0.5 * np.pi * t / (FRAMES - 1))) for t in range(FRAMES)])
    write_ply(folder / "body.ply", mesh)
    (folder / "video").mkdir()
    normalised, normalisation = normalised_mesh(mesh)
    for index, positions in enumerate(truth):
        image, _ = render(normalisation.to_normalised(positions), normalised, VIEW, 2 * SIZE, 2 * SIZE)
        small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "video" / f"frame_{index}.png"), small[..., ::-1])
    return Example(folder / "body.ply", folder / "video", truth)


def spotted_body() -> ReferenceMesh:
    """About 600 vertices around the z axis, far from the origin, in units of its own."""
    rings, around = 28, 22
    z, angle = np.meshgrid(np.linspace(-1, 1, rings), np.arange(around) * 2 * np.pi / around, indexing="ij")
    radius = np.sqrt(np.clip(1 - z**2, 1e-4, 1)) * (0.28 + 0.16 * z + 0.1 * np.cos(angle) * (z > 0.2))
    positions = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1).reshape(-1, 3)
    spots = np.sin(9 * positions @ [1.0, 0.4, 0.9]) * np.sin(11 * positions @ [-0.5, 1.0, 0.6])
    colours = np.where(spots[:, None] > 0, [0.75, 0.25, 0.1], [0.2, 0.35, 0.6])
    colours[positions[:, 2] > 0.8] = [0.1, 0.5, 0.15]
    faces = []
    for ring in range(rings - 1):
        for step in range(around):
            a, b = ring * around + step, ring * around + (step + 1) % around
            faces += [(a, b, b + around), (a, b + around, a + around)]
    return ReferenceMesh(
        positions=(20 * positions + [3, 50, -8]).astype(np.float32),
        faces=np.array(faces, np.int32),
        face_material=np.zeros(len(faces), np.int32),
        vertex_colour=colours.astype(np.float32),
    )


def bent(positions: np.ndarray, amount: float) -> np.ndarray:
    """Upwards and, less, to the right of the camera; amount 0 leaves the positions exactly as they are."""
    reach = np.clip((positions[:, 2] - positions[:, 2].mean()) / 20, 0, None) ** 2
    offsets = 20 * amount * np.stack([0.23 * reach, reach, -0.19 * reach], axis=1)
    return (positions + offsets).astype(np.float32)


def write_ply(path: Path, mesh: ReferenceMesh) -> None:
    header = (
        f"ply\nformat ascii 1.0\nelement vertex {len(mesh.positions)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    assert mesh.vertex_colour is not None
    colours = (mesh.vertex_colour * 255 + 0.5).astype(int)
    vertices = [
        f"{x:.9g} {y:.9g} {z:.9g} {r} {g} {b}"
        for (x, y, z), (r, g, b) in zip(mesh.positions.tolist(), colours.tolist(), strict=True)
    ]
    path.write_text(header + "\n".join(vertices + [f"3 {a} {b} {c}" for a, b, c in mesh.faces]) + "\n")


Command = Callable[..., subprocess.CompletedProcess[str]]
# For what does not depend on the reconstruction: this one loads no network, and a draft is soon done.
QUICK = ("--quality", "draft", "--reconstructor", "deformation-fit", "--frames", "0:4")


@pytest.fixture(scope="session")
def motion324() -> Command:
    """motion324("animate", ...) runs the command in a process of its own, as a shell does."""

    def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "motion324", *(str(part) for part in arguments)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, **more)

    return run


@dataclass(frozen=True)
class Animated:
    """output: the folder of the results. summary: what --json printed."""

    output: Path
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def animated(motion324, bending, tmp_path_factory) -> Animated:
    """The example, animated with nothing but defaults and everything kept."""

    def animate(folder: Path) -> None:
        more = ["-o", folder / "output", "--overlay", "--keep-cutouts", "--json"]
        done = motion324("animate", bending.mesh, bending.video, *more)
        assert done.returncode == 0, done.stderr
        (folder / "summary.json").write_text(done.stdout)

    made = made_once(tmp_path_factory, "animated", animate)
    return Animated(made / "output", json.loads((made / "summary.json").read_text()))
