"""A tiny 0 A.D.: a public.zip with one animal of two boxes, which wears a box and holds another, made byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from training_rig import BOX, BOX_FACES

FUR, HAT = (200, 120, 40), (10, 60, 220)
UPPER = 1.0  # where the upper bone begins

BODY = """<?xml version="1.0"?><actor version="1"><group><variant frequency="1"><mesh>skeletal/beast.dae</mesh>
<textures><texture file="beast.png" name="baseTex"/></textures>
<props><prop actor="props/collar.xml" attachpoint="neck"/><prop actor="props/hat.xml" attachpoint="head"/>
<prop actor="props/hat.xml" attachpoint="projectile"/><prop actor="props/hat.xml" attachpoint="nowhere"/></props>
</variant></group><group><variant frequency="1" file="quadraped/base.xml"/><variant frequency="0" name="death">
<animations><animation file="quadraped/die.dae" name="Death" speed="200"/></animations></variant></group>
<material>player_trans.xml</material></actor>"""
VARIANT = (
    """<variant><animations><animation file="quadraped/nod.dae" name="Idle" speed="100"/></animations></variant>"""
)
COLLAR = """<actor version="1"><group><variant><mesh>props/collar.dae</mesh><textures><texture file="hat.png"
name="baseTex"/></textures></variant></group><material>default.xml</material></actor>"""
HAT_ACTOR = """<qualitylevels><actor quality="low"/><actor inline=""/><inline version="1"><group><variant>
<mesh>props/hat.dae</mesh><textures><texture file="hat.png" name="baseTex"/></textures></variant></group>
<material>basic_trans.xml</material></inline></qualitylevels>"""


def pmd(vertices: np.ndarray, faces: np.ndarray, bones: list[int], states: np.ndarray, points: list[bytes]) -> bytes:
    """Version 4. vertices (N, 3), faces (F, 3), the bone of each vertex, states (B, 7): bind pose, points: packed."""
    middle = vertices.mean(axis=0)
    body = struct.pack("<II", len(vertices), 1)
    for vertex, bone in zip(vertices, bones, strict=True):
        uv = (0.25, 0.75)  # v from the lower edge: the picture's upper left part
        body += struct.pack("<8f", *vertex, *(vertex - middle), *uv) + bytes([bone, 255, 255, 255])
        body += struct.pack("<4f", 1, 0, 0, 0)
    body += struct.pack("<I", len(faces)) + faces.astype("<u2").tobytes()
    body += struct.pack("<I", len(states)) + states.astype("<f4").tobytes()
    body += struct.pack("<I", len(points)) + b"".join(points)
    return b"PSMD" + struct.pack("<II", 4, len(body)) + body


def point(name: str, bone: int, place: tuple[float, float, float]) -> bytes:
    return struct.pack("<I", len(name)) + name.encode() + struct.pack("<7f", *place, 0, 0, 0, 1) + bytes([bone])


def psa(states: np.ndarray) -> bytes:
    """states (T, B, 7)."""
    body = struct.pack("<I", 3) + b"nod" + struct.pack("<fII", 1.0, states.shape[1], states.shape[0])
    body += states.astype("<f4").tobytes()
    return b"PSSA" + struct.pack("<II", 1, len(body)) + body


def nodding(angle: float, frames: int = 31) -> np.ndarray:
    """(T, 2, 7): the upper bone turns about x, in the game's left-handed space."""
    states = np.zeros((frames, 2, 7))
    states[:, 1, 1] = UPPER
    states[:, 0, 6] = 1
    turned = np.linspace(0, angle, frames) / 2
    states[:, 1, 3], states[:, 1, 6] = np.sin(turned), np.cos(turned)
    return states


def picture(colour: tuple[int, int, int], alpha: int) -> bytes:
    """16 x 16: the colour in its upper left quarter; elsewhere black."""
    texels = np.zeros((16, 16, 4), np.uint8)
    texels[:8, :8] = (*colour, alpha)
    file = io.BytesIO()
    Image.fromarray(texels).save(file, "PNG")
    return file.getvalue()


def left_handed(vertices: np.ndarray) -> np.ndarray:
    return vertices * (1, 1, -1)


def small_zero_ad(
    folder: Path, fur_alpha: int = 255, hat_alpha: int = 255, with_people: bool = False, with_twin: bool = False
) -> Path:
    """The folder, with public.zip in it. with_people: also one of the beast's shape, who holds a hat. with_twin: also
    an animal of that shape, twice as large and of another colour."""
    rest = nodding(0)[0]
    boxes = left_handed(np.concatenate([BOX, BOX + np.array([0, UPPER, 0])]))
    box_faces = np.concatenate([BOX_FACES, BOX_FACES + 8])[:, [0, 2, 1]]  # mirrored, they turn the other way
    points = [point("head", 1, (0, 1, 0)), point("neck", 1, (0, -UPPER, 0))]
    small = left_handed((BOX - (0, 0.5, 0)) * 0.4)
    files: dict[str, bytes] = {
        "art/actors/fauna/beast.xml": BODY.encode(),
        "art/actors/props/collar.xml": COLLAR.encode(),
        "art/actors/props/hat.xml": HAT_ACTOR.encode(),
        "art/variants/quadraped/base.xml": VARIANT.encode(),
        "art/meshes/skeletal/beast.dae.cached.pmd": pmd(boxes, box_faces, [0] * 8 + [1] * 8, rest, points),
        "art/meshes/props/collar.dae.cached.pmd": pmd(
            small + np.array([0, 1.5, 0]), BOX_FACES[:, [0, 2, 1]], [1] * 8, rest, []
        ),
        "art/meshes/props/hat.dae.cached.pmd": pmd(small, BOX_FACES[:, [0, 2, 1]], [255] * 8, np.zeros((0, 7)), []),
        "art/animation/quadraped/nod.dae.cached.psa": psa(nodding(1.0)),
        "art/animation/quadraped/die.dae.cached.psa": psa(nodding(1.5)),
        "art/textures/skins/beast.png.cached.dds": picture(FUR, fur_alpha),
        "art/textures/skins/hat.png.cached.dds": picture(HAT, hat_alpha),
    }
    if with_twin:
        files["art/actors/fauna/twin.xml"] = (
            BODY.replace("beast.dae", "twin.dae").replace("beast.png", "hat.png").encode()
        )
        files["art/meshes/skeletal/twin.dae.cached.pmd"] = pmd(2 * boxes, box_faces, [0] * 8 + [1] * 8, rest, points)
    if with_people:
        man = BODY.replace("skeletal/beast.dae", "skeletal/new/man.dae").replace(
            'attachpoint="head"', 'attachpoint="weapon"'
        )
        files["art/actors/units/ours/man.xml"] = man.encode()
        points[0] = point("weapon", 1, (0, 1, 0))
        files["art/meshes/skeletal/new/man.dae.cached.pmd"] = pmd(boxes, box_faces, [0] * 8 + [1] * 8, rest, points)
    path = folder / "usr" / "share" / "public.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return folder
