"""A tiny SuperTuxKart: karts of a driver and wheels, and the package's copyright file, made byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image
from training_rig import BOX, BOX_FACES

from motion324.training.game_models.supertuxkart.catalogue import GAME, PACKAGE

PAINT, BRIGHT = (30, 160, 90), (250, 240, 10)
NOTES = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2006 The team
License: GPL-3+

Files:
 data/karts/*.spm
 data/karts/*.png
Copyright: 2020 Somebody
License: CC-BY-SA-3.0

Files: data/karts/closed/*
Copyright: 2011 Somebody else
License: GPL-2
"""
KART = """<kart model-file="driver.spm"><animations left="0" straight="20" right="40" start-winning="60"
start-winning-loop="70" end-winning="80"/><wheels><front-left position="1 0 2" model="wheel.spm"/></wheels></kart>"""
AT_REST = (0.0, 0, 0, 0, 0, 0, 1, 1, 1, 1)
QUARTER = (0.0, 0, 0, float(np.sqrt(0.5)), 0, 0, float(np.sqrt(0.5)), 1, 1, 1)  # about x


def spm(
    texture: str, keys: list[tuple[int, tuple[float, ...]]], still: int = 0, colour: tuple[int, ...] | None = None
) -> bytes:
    """A box, bound to one bone if there are keys: frames, and where the bone is then."""
    out = b"SP" + struct.pack("<BB", 1 << 3 | (1 if keys else 2), 1 | (2 if colour else 0)) + bytes(24)
    out += struct.pack("<HB", 1, len(texture)) + texture.encode() + b"\0" + struct.pack("<HHIIH", 1, 1, 8, 36, 0)
    for vertex in BOX * (1, 1, -1):  # left-handed there, and faces turn the other way
        out += struct.pack("<3fI", *vertex, 0)
        if colour:
            out += b"\x80" if colour == (255, 255, 255) else struct.pack("<4B", 255, *colour)
        out += struct.pack("<2e", 0.5, 0.5) if texture else b""
        out += struct.pack("<4h4e", 0, -1, -1, -1, 1, 0, 0, 0) if keys else b""
    out += BOX_FACES[:, [0, 2, 1]].astype("u1").tobytes()
    if keys:
        out += struct.pack("<BHHH", 1, still, 1, 1) + b"\x04bone" + struct.pack("<10fhH", *AT_REST, -1, len(keys))
        for frame, place in keys:
            out += struct.pack("<H10f", frame, *place)
    return out


def small_supertuxkart(folder: Path) -> Path:
    """Karts "open" and "closed"; only the first may be taken. Their bone turns by 90 degrees from frame 0 to 80."""
    notes = folder / "usr/share/doc" / PACKAGE / "copyright"
    notes.parent.mkdir(parents=True)
    notes.write_text(NOTES)
    for name in ("open", "closed"):
        kart = folder / GAME / "data/karts" / name
        kart.mkdir(parents=True)
        (kart / "driver.spm").write_bytes(spm("paint.png", [(0, AT_REST), (80, QUARTER)]))
        (kart / "wheel.spm").write_bytes(spm("", [], colour=BRIGHT))
        (kart / "kart.xml").write_text(KART)
        Image.new("RGB", (4, 4), PAINT).save(kart / "paint.png")
    return folder
