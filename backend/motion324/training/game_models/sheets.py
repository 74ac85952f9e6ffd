"""Draws rigs in three poses each, many on one picture, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from motion324.training.synthesis.rigs import skinned
from motion324.view.rasteriser import rasterise_projected

CELL = 150
POSES = 3
COLUMNS = 4
A_SHEET = 40


def draw_sheets(rigs: list[Path], out: Path) -> list[Path]:
    """Pictures of A_SHEET rigs each, in the folder `out`; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for start in range(0, len(rigs), A_SHEET):
        some = rigs[start : start + A_SHEET]
        rows = -(-len(some) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * POSES * CELL, rows * (CELL + 12)), "white")
        for index, path in enumerate(some):
            x, y = index % COLUMNS * POSES * CELL, index // COLUMNS * (CELL + 12)
            sheet.paste(Image.fromarray(draw_rig(path)), (x, y + 12))
            ImageDraw.Draw(sheet).text((x + 2, y), path.stem, fill="black")
        made.append(out / f"sheet{start // A_SHEET}.png")
        sheet.save(made[-1])
    return made


def draw_rig(path: Path) -> np.ndarray:
    """(CELL, POSES * CELL, 3) uint8: the first pose from the front left, and two others from other sides."""
    with np.load(path) as file:
        clips = [file[key] for key in sorted(key for key in file if key.startswith("clip"))]
        vertices, faces, colours = file["V"].astype(float), file["F"], file["C"].astype(float)
        joints, weights = file["J"].astype(int), file["W"].astype(float)
    shown = [clips[0][0], clips[len(clips) // 2][len(clips[len(clips) // 2]) // 2], clips[-1][len(clips[-1]) * 2 // 3]]
    cells = []
    for pose, angle in zip(shown, (30, 75, 215), strict=True):
        points = skinned(vertices, joints, weights, pose)
        points = (points - (points.min(axis=0) + points.max(axis=0)) / 2) / np.ptp(points, axis=0).max()
        turn, nod = np.radians(angle), np.radians(15)
        x = points[:, 0] * np.cos(turn) - points[:, 2] * np.sin(turn)
        z = points[:, 0] * np.sin(turn) + points[:, 2] * np.cos(turn)
        y, z = points[:, 1] * np.cos(nod) - z * np.sin(nod), points[:, 1] * np.sin(nod) + z * np.cos(nod)
        scale = CELL * 0.72
        pixels = np.c_[CELL / 2 + x * scale, CELL / 2 - y * scale]
        raster = rasterise_projected(pixels, 4 - z, faces, CELL, CELL)
        seen = raster.mask
        corners = np.c_[x, y, z][faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        facing = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
        light = np.where(facing > 0, 0.5 + 0.5 * facing, 0.25)  # back faces are dark: a mesh turned inside out shows
        cell = np.full((CELL, CELL, 3), 255, np.uint8)
        face = raster.face[seen]
        colour = np.einsum("ni,nic->nc", raster.barycentric[seen], colours[faces[face]])
        cell[seen] = (colour * light[face, None] * 255).clip(0, 255)
        cells.append(cell)
    return np.concatenate(cells, axis=1)
