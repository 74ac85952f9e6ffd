"""A tiny Cube 2: its two characters as two boxes each, with animations, made byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image
from training_rig import BOX, BOX_FACES

from motion324.training.game_models.cube2.iqm_files import FIELDS, JOINTS, MAGIC, NORMAL, PLACE, UV, WEIGHTS
from motion324.training.game_models.cube2.models import CHARACTERS, GAME, PACKAGE

FUR = (150, 90, 40)
VERTICES = np.concatenate([BOX, BOX + np.array([0, 1, 0])])
FACES = np.concatenate([BOX_FACES, BOX_FACES + 8])
ROOT, UPPER = (0.0, 0, 0, 0, 0, 0, 1, 1, 1, 1), (0.0, 0, 1, 0, 0, 0, 1, 1, 1, 1)  # Z is up there
NOTES = """Files: *
Copyright: Somebody
License: CC-BY-3.0
"""


def packed(parts: dict[str, bytes], counts: dict[str, int]) -> bytes:
    """A file with these parts, by the names of the header's fields, one after another."""
    size = len(MAGIC) + 4 * 27
    fields, body = dict.fromkeys(FIELDS, 0) | counts | {"version": 2}, b""
    for name, part in parts.items():
        fields[f"{name}_at"] = size + len(body)
        body += part
    return MAGIC + struct.pack("<27I", *(fields[name] for name in FIELDS), *[0] * (27 - len(FIELDS))) + body


def model() -> bytes:
    arrays = {
        PLACE: (7, (VERTICES @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]).astype("<f4")),
        UV: (7, np.full((16, 2), 0.5, "<f4")),
        NORMAL: (7, np.zeros((16, 3), "<f4")),
        JOINTS: (1, np.repeat([[0, 0, 0, 0], [1, 0, 0, 0]], 8, axis=0).astype("u1")),
        WEIGHTS: (1, np.tile([255, 0, 0, 0], (16, 1)).astype("u1")),
    }
    text = b"\0Body\0"
    at = len(MAGIC) + 4 * 27 + len(text) + 24 + 20 * len(arrays)
    heads, values = b"", b""
    for kind, (form, array) in arrays.items():
        heads += struct.pack("<5I", kind, 0, form, array.shape[1], at + len(values))
        values += array.tobytes()
    return packed(
        {
            "text": text,
            "meshes": struct.pack("<6I", 1, 0, 0, 16, 0, len(FACES)),
            "arrays": heads + values,
            "triangles": FACES.astype("<u4").tobytes(),
            "joints": struct.pack("<Ii10f", 0, -1, *ROOT) + struct.pack("<Ii10f", 0, 0, *UPPER),
        },
        {"text": len(text), "meshes": 1, "arrays": len(arrays), "vertices": 16, "triangles": len(FACES), "joints": 2},
    )


def animation(turns: list[float], rate: float, bones: int = 2) -> bytes:
    """The upper bone turned about x by these angles; two channels change, x and w of its quaternion."""
    low, step = -1.0, 2 / 65535
    poses = struct.pack("<iI20f", -1, 0, *ROOT, *[0] * 10)
    offset, scale = list(UPPER), [0.0] * 10
    for channel in (3, 6):
        offset[channel], scale[channel] = low, step
    poses += struct.pack("<iI20f", 0, 1 << 3 | 1 << 6, *offset, *scale) * (bones - 1)
    values = [(np.sin(a / 2), np.cos(a / 2)) for a in turns]
    stored = np.round((np.array(values) - low) / step).astype("<u2")
    return packed(
        {
            "poses": poses,
            "anims": struct.pack("<3IfI", 0, 0, len(turns), rate, 0),
            "frames": np.tile(stored, (1, bones - 1)).tobytes(),
        },
        {"poses": bones, "anims": 1, "frames": len(turns), "channels": 2 * (bones - 1)},
    )


def small_cube2(folder: Path) -> Path:
    notes = folder / "usr/share/doc" / PACKAGE / "copyright"
    notes.parent.mkdir(parents=True)
    notes.write_text(NOTES)
    for name, file in CHARACTERS.items():
        home = folder / GAME / "packages/models" / name
        home.mkdir(parents=True)
        (home / file).write_bytes(model())
        (home / "nod.iqm").write_bytes(animation(list(np.linspace(0, 1, 20)), 24))
        (home / "other.iqm").write_bytes(animation([0, 1], 24, bones=3))
        Image.new("RGB", (4, 4), FUR).save(home / "fur.png")
        (home / "iqm.cfg").write_text(
            'iqmskin "Body" "<compress:2>fur.png"\niqmanim "forward" "nod.iqm" 48 1\niqmanim "idle"  "nod.iqm" 0 -1\n'
            '//iqmanim "pain" "missing.iqm" 66\niqmanim "lag" "other.iqm"\n'
        )
    return folder
