"""Vertex animation textures: the motion of a soft body as two pictures, which a shader reads by vertex and frame.

A column of the pictures is a vertex, a row is a frame; where the vertices are more than a picture may be wide, a frame
takes several rows. Each vertex of the mesh knows its pixel of frame 0 by its second texture coordinates; frame f lies
f * rows_per_frame rows below. What a pixel says is told by the JSON file beside the pictures:

    offset from the mesh = sample * scale + bias, for each of X, Y, Z as R, G, B

in the axes of the mesh file. T frames, K columns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.deep_pictures import write_exr, write_png16
from motion324.core.files.write_aside import written_aside
from motion324.core.options.engine_settings import EXR, VertexTextures

FULL = 65535  # of a 16-bit picture
HALVED = 1024  # columns up to which texture coordinates of half precision, as importers make them, meet their pixels
COARSE = 1e-4  # of the size: an error from which on one should look at the other kind of picture


@dataclass(frozen=True)
class Layout:
    """Where in the pictures a vertex is at a frame."""

    frames: int
    columns: int
    width: int
    height: int
    per_row: int
    rows_per_frame: int

    @classmethod
    def of(cls, frames: int, columns: int, options: VertexTextures) -> Layout:
        """Raises Motion324Error("too-large-for-textures") where no picture of that size holds them."""
        limit = options.longest_side
        if options.power_of_two:
            limit = 1 << (limit.bit_length() - 1)
        fewest = -(-columns // limit)
        rows = min(-(-columns // min(HALVED, limit)), limit // frames)
        if rows < fewest:
            raise Motion324Error(
                "too-large-for-textures",
                f"{frames} frames of {columns} vertices do not go into pictures whose longest side is {limit} pixels.",
                f"Use at most {limit // fewest} frames, fewer vertices, or a longer side.",
                EXIT_USAGE,
            )
        per_row = -(-columns // rows)
        width, height = per_row, frames * rows
        if options.power_of_two:
            width, height = (1 << (side - 1).bit_length() for side in (width, height))
        return cls(frames, columns, width, height, per_row, rows)

    def uv(self) -> np.ndarray:
        """(K, 2) float64: the centres of the pixels of frame 0, from the upper left corner, as glTF counts."""
        column = np.arange(self.columns)
        return np.stack(
            [(column % self.per_row + 0.5) / self.width, (column // self.per_row + 0.5) / self.height], axis=1
        )

    def picture(self, values: np.ndarray) -> np.ndarray:
        """values (T, K, 3) -> (H, W, 3). What is left over repeats its neighbour, so that a filter mixes in nothing."""
        missing = self.rows_per_frame * self.per_row - self.columns
        rows = np.concatenate([values, np.repeat(values[:, -1:], missing, axis=1)], axis=1)
        rows = rows.reshape(self.frames * self.rows_per_frame, self.per_row, 3)
        beside, below = self.width - self.per_row, self.height - len(rows)
        return np.pad(rows, ((0, below), (0, beside), (0, 0)), mode="edge")


@dataclass(frozen=True)
class Stored:
    """pixels: float16 or uint16. A sample, which of uint16 is a part of FULL, times scale (3,) plus bias (3,) is the
    value."""

    pixels: np.ndarray
    scale: np.ndarray
    bias: np.ndarray

    def values(self) -> np.ndarray:
        """float64, as a shader gets them."""
        samples = self.pixels.astype(np.float64)
        return (samples / FULL if self.pixels.dtype == np.uint16 else samples) * self.scale + self.bias


def stored_as(values: np.ndarray, pictures: str, low: np.ndarray, high: np.ndarray) -> Stored:
    """values (..., 3), which lie between low (3,) and high (3,)."""
    if pictures == EXR:
        reach = np.maximum(np.abs(low), np.abs(high))
        scale = np.where(reach > 0, reach, 1.0)
        return Stored((values / scale).astype(np.float16), scale, np.zeros(3))
    scale = np.where(high > low, high - low, 1.0)
    return Stored(np.clip(np.rint((values - low) / scale * FULL), 0, FULL).astype(np.uint16), scale, np.asarray(low))


@dataclass(frozen=True)
class Written:
    """files: all that was written, the JSON first. largest_error: of a decoded position, in parts of the mesh's longest
    side. warnings: {"code", "sentence"} each.
    """

    files: tuple[Path, ...]
    largest_error: float
    warnings: tuple[dict[str, str], ...]


def files_of(description: Path, options: VertexTextures) -> tuple[Path, Path, Path, Path]:
    """The JSON, the pictures of positions and of normals, and the mesh, which lie beside each other."""
    names = (f"_position.{options.pictures}", f"_normal.{options.pictures}", ".glb")
    position, normal, mesh = (description.with_name(description.stem + name) for name in names)
    return description, position, normal, mesh


def write_vertex_textures(
    description: Path,
    positions: np.ndarray,
    normals: np.ndarray,
    fps: float,
    options: VertexTextures,
    more: dict[str, Any] | None = None,
) -> Written:
    """Writes the two pictures and, at last, `description`, the JSON; the mesh is the caller's.

    positions, normals (T, K, 3): the columns', in the axes of the mesh file, whose vertices are positions[0]. more:
    further entries of the JSON. Raises Motion324Error("too-large-for-textures", "cannot-write" or "disk-full").
    """
    layout = Layout.of(positions.shape[0], positions.shape[1], options)
    first = positions[0].astype(np.float64)
    size = max(float(np.ptp(first, axis=0).max()), 1e-300)
    offsets = positions - first
    low, high = offsets.min(axis=(0, 1)), offsets.max(axis=(0, 1))
    moved = stored_as(offsets, options.pictures, low, high)
    turned = stored_as(np.asarray(normals, np.float64), options.pictures, -np.ones(3), np.ones(3))
    error = float(np.linalg.norm(moved.values() - offsets, axis=-1).max()) / size
    description, position_file, normal_file, mesh_file = files_of(description, options)
    write = write_exr if options.pictures == EXR else write_png16
    write(position_file, layout.picture(moved.pixels))
    write(normal_file, layout.picture(turned.pixels))
    said = {
        "format": "Motion324 vertex animation textures",
        "version": 1,
        "mesh": mesh_file.name,
        "uv_set": 1,
        "position": _picture_entry(position_file, moved) | {"stores": "offset from the mesh"},
        "normal": _picture_entry(normal_file, turned) | {"stores": "normal"},
        "frames": layout.frames,
        "rate": float(fps),
        "vertices": layout.columns,
        "size": [layout.width, layout.height],
        "vertices_per_row": layout.per_row,
        "rows_per_frame": layout.rows_per_frame,
        "half_precision_uv": layout.width <= HALVED,
        "bounds": {"min": positions.min(axis=(0, 1)).tolist(), "max": positions.max(axis=(0, 1)).tolist()},
        "axes": "right-handed, Y up, as in the mesh file",
        "largest_error": error * size,
        **(more or {}),
    }
    with written_aside(description) as aside:
        aside.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return Written((description, position_file, normal_file), error, _warnings(error, options))


def _picture_entry(file: Path, stored: Stored) -> dict[str, Any]:
    return {"file": file.name, "scale": stored.scale.tolist(), "bias": stored.bias.tolist()}


def _warnings(error: float, options: VertexTextures) -> tuple[dict[str, str], ...]:
    if error <= COARSE:
        return ()
    if options.pictures == EXR:
        why = "since half floats are coarse far from the mesh: PNG pictures are finer"
    else:
        why = "since the motion goes far: take the travel off the motion"
    sentence = f"The vertices are off by up to {100 * error:.3f} % of the mesh's size, {why}."
    return ({"code": "coarse-textures", "sentence": sentence},)
