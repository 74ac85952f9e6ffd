"""A tiny UFO: Alien Invasion: bodies of two boxes in the archive of its models, made byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from small_megaglest import FACES, nodding

from motion324.training.game_models.ufoai.md2_files import MAGIC, VERSION
from motion324.training.game_models.ufoai.models import ARCHIVE, BODIES, PACKAGE

PAINT = (120, 130, 140)
TABLE = """// name start end fps
stand0\t0\t0\t1
walk0\t\t1\t12\t24
walk1\t\t1\t12\t24
death1\t13\t23\t12
dead1\t23\t23\t0
"""


def md2(poses: np.ndarray) -> bytes:
    """poses (T, N, 3) with Y up; all corners of faces show the middle of the texture."""
    turned = poses @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    count, faces = poses.shape[1], FACES[:, [0, 2, 1]]
    head = 68
    triangles = np.concatenate([faces, np.zeros_like(faces)], axis=1).astype("<u2").tobytes()
    places = struct.pack("<2h", 8, 8)
    frames = b""
    for pose in turned:
        low, high = pose.min(axis=0), pose.max(axis=0)
        steps = np.round((pose - low) / (high - low) * 255).astype("u1")
        frames += struct.pack("<6f16s", *((high - low) / 255), *low, b"frame")
        frames += np.c_[steps, np.zeros(count, "u1")].astype("u1").tobytes()
    at = [head, head, head + len(places), head + len(places) + len(triangles)]
    sizes = (16, 16, 40 + 4 * count, 0, count, 1, len(faces), 0, len(poses))
    end = at[3] + len(frames)
    return struct.pack("<4si15i", MAGIC, VERSION, *sizes, *at, end, end) + places + triangles + frames


def walking() -> np.ndarray:
    """24 frames: at rest, a nod to and fro, and a fall."""
    return nodding([0, *np.sin(np.linspace(0, 2 * np.pi, 12, endpoint=False)), *np.linspace(0, 1.5, 11)])


def small_ufoai(folder: Path, licence: str = "CC-BY-SA-3.0") -> Path:
    notes = folder / "usr/share/doc" / PACKAGE / "copyright"
    notes.parent.mkdir(parents=True)
    notes.write_text(
        f"Files: *\nCopyright: A team\nLicense: GPL-2+\n\nFiles: base/models/aliens/*\nLicense: {licence}\n"
    )
    (folder / ARCHIVE).parent.mkdir(parents=True)
    picture = io.BytesIO()
    Image.new("RGB", (16, 16), PAINT).save(picture, "PNG")
    with zipfile.ZipFile(folder / ARCHIVE, "w") as files:
        for body, texture in BODIES.values():
            files.writestr(f"{body}.md2", md2(walking()))
            files.writestr(f"{body}.anm", TABLE)
            files.writestr(texture, picture.getvalue())
    return folder
