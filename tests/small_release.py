"""A small benchmark in Motion80's layout, and predictions for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from creature import creature, film, waving

FRAMES = 6


def write_release(root: Path, names: tuple[str, ...] = ("one", "two"), videos: bool = False) -> dict[str, np.ndarray]:
    """Clips of a waving creature, each waving farther; the last one is "long". -> truth (T, N, 3) by name."""
    mesh = creature()
    truths = {}
    for index, name in enumerate(names):
        truth = waving(mesh, FRAMES, reach=0.4 + 0.3 * index)
        write_frames(root / "pcds" / f"{name}_pointclouds", truth, mesh.faces)
        truths[name] = truth
        if videos:
            write_images(root / "images" / f"{name}_images" / "camera_0", film(mesh, truth, size=96)[0])
            write_glb(root / "glbs" / f"{name}.glb", truth[0], mesh.faces)
    (root / "short_videos.txt").write_text("\n".join(names[:-1]) + "\n")
    (root / "long_videos.txt").write_text(names[-1] + "\n")
    (root / "meta").mkdir()
    for name in names:
        (root / "meta" / f"{name}.json").write_text(json.dumps({"fps": 12}))
    return truths


def write_frames(folder: Path, positions: np.ndarray, faces: np.ndarray) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "faces.npy", faces.astype(np.int32))
    for index, frame in enumerate(positions):
        np.save(folder / f"frame_{index:04d}.npy", frame.astype(np.float32))


def write_images(folder: Path, frames: np.ndarray) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"frame_{index:04d}.jpg", quality=95)


def write_glb(path: Path, positions: np.ndarray, faces: np.ndarray) -> None:
    import trimesh

    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(positions, faces, process=False).export(path)
