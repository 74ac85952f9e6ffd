"""A release in the published training layout, made on the fly to measure how fast it is read: textured, waving spheres.

What is in it costs as much to read as real data: JPEG pictures of 512 x 512 pixels, meshes of 10,000 vertices, textures
of 1024 x 1024.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

SIDE = 512
TEXTURE = 1024
ROWS, COLUMNS = 100, 100
QUALITY = 92


def make_release(root: Path, clips: int, frames: int, cameras: int, threads: int) -> None:
    """Writes the clips and train.txt, a list of them."""
    names = [f"clip{number:03d}" for number in range(clips)]
    root.mkdir(parents=True, exist_ok=True)
    (root / "train.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda name: _write_clip(root, name, frames, cameras), names))


def _write_clip(root: Path, name: str, frames: int, cameras: int) -> None:
    draws = np.random.default_rng(int(name.removeprefix("clip")))
    folder = root / "pcds" / f"{name}_pointclouds"
    folder.mkdir(parents=True)
    vertices, faces, uvs = _sphere()
    texture = _noise(draws, TEXTURE)
    np.save(folder / "faces.npy", faces)
    np.savez_compressed(folder / "uv_face_texture.npz", face_uvs=uvs, texture_array=texture)
    for frame in range(frames):
        wave = 1 + 0.3 * np.sin(6 * vertices[:, 1:2] + 0.2 * frame)
        np.save(folder / f"frame_{frame:04d}.npy", (vertices * wave).astype(np.float32))
    for camera in range(cameras):
        images = root / "images" / f"{name}_images" / f"camera_{camera}"
        images.mkdir(parents=True)
        skin = cv2.resize(texture, (SIDE, SIDE))
        for frame in range(frames):
            picture = np.zeros((SIDE, SIDE, 3), np.uint8)
            axes = (int(150 + 60 * np.sin(0.2 * frame)), 190)
            mask = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (256, 256), axes, 0, 0, 360, 255, -1)
            cv2.copyTo(np.roll(skin, 5 * frame, axis=1), mask, picture)
            cv2.imwrite(str(images / f"frame_{frame:04d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _sphere() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), faces (F, 3) int32, and their texture coordinates (F, 3, 2) float32."""
    v, u = np.meshgrid(np.linspace(0, 1, ROWS), np.linspace(0, 1, COLUMNS), indexing="ij")
    polar, around = np.pi * v, 2 * np.pi * u
    sine = np.sin(polar)
    vertices = np.stack([sine * np.cos(around), np.cos(polar), sine * np.sin(around)], axis=-1).reshape(-1, 3)
    first = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).reshape(-1, 1)
    quads = first + np.array([0, COLUMNS, COLUMNS + 1, 1])
    faces = np.concatenate([quads[:, [0, 2, 1]], quads[:, [0, 3, 2]]]).astype(np.int32)
    places = np.stack([u, 1 - v], axis=-1).reshape(-1, 2).astype(np.float32)
    return vertices, faces, places[faces]


def _noise(draws: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, 3) uint8: coarse and fine noise, about as hard to compress as a photograph."""
    total = np.zeros((side, side, 3), np.float32)
    for cells, weight in ((8, 0.6), (64, 0.3), (side // 2, 0.1)):
        total += weight * cv2.resize(draws.random((cells, cells, 3), np.float32), (side, side))
    return (255 * np.clip(total, 0, 1)).astype(np.uint8)
