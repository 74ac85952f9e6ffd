"""Makes skinned models of those few of UFO: Alien Invasion that its copyright file puts under a free licence for media:
robots with legs and with tracks. Vertices are stored for each frame, as in MegaGlest, but as often as they are shown.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from motion324.training.game_models.game_errors import missing_data
from motion324.training.game_models.licences import read_copyright
from motion324.training.game_models.moving_skin import TOLERANCE, skin_of_motion
from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.ufoai.md2_files import read_md2

PACKAGE = "ufoai-data"
ARCHIVE = "usr/share/games/ufoai/base/0models.pk3"
BODIES = {  # the model, without its ending, and its texture
    "bloodspider": ("models/aliens/bloodspider/bloodspider", "models/aliens/bloodspider/bloodspider.jpg"),
    "bloodspider_armoured": ("models/aliens/bloodspider_adv/body01", "models/aliens/bloodspider_adv/body02.jpg"),
    "alientank": ("models/aliens/alientank/alientank", "models/aliens/alientank/alientank.png"),
}
LOOPS = ("walk", "move", "stand")
FEWEST_FRAMES = 8


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name, None where no skin moves as it does.

    folder: of the unpacked package. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    notes = read_copyright(folder, PACKAGE)
    path = folder / ARCHIVE
    if not path.is_file():
        raise missing_data(folder, "models of UFO: Alien Invasion", PACKAGE)
    for name, (body, texture) in BODIES.items():
        if notes.is_free(f"base/{file}" for file in (f"{body}.md2", f"{body}.anm", texture)):
            yield f"ufoai__{name}", partial(build_model, path, f"ufoai__{name}", body, texture)


def build_model(archive: Path, name: str, body: str, texture: str) -> TexturedModel | None:
    with zipfile.ZipFile(archive) as files:
        model = read_md2(files.read(f"{body}.md2"), f"{body}.md2")
        settings = files.read(f"{body}.anm").decode("latin-1")
        with Image.open(io.BytesIO(files.read(texture))) as picture:
            texels = np.asarray(picture.convert("RGB"))
    skin = skin_of_motion(model.positions[0], model.positions, model.faces)
    if skin.error > TOLERANCE:
        return None
    clips = [
        skin.clip(slice(first, last + 1), (last - first) / rate, goes_round)
        for first, last, rate, goes_round in animations(settings, len(model.positions))
    ]
    return TexturedModel(
        name=name,
        vertices=model.positions[0],
        faces=model.faces,
        uv=model.uv,
        texture=np.zeros(len(model.faces), np.int64),
        textures=[texels],
        joints=skin.joints,
        weights=skin.weights,
        clips=clips,
    )


def animations(settings: str, frames: int) -> list[tuple[int, int, float, bool]]:
    """First and last frame, frames a second and whether it begins again, of each different piece of the frames."""
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    for name, first, last, rate in re.findall(r"^(\w+)\s+(\d+)\s+(\d+)\s+(\d+)", settings, re.MULTILINE):
        piece = int(first), min(int(last), frames - 1)
        if piece[1] - piece[0] >= FEWEST_FRAMES and int(rate):
            found.setdefault(piece, (float(rate), name.startswith(LOOPS)))
    return [(*piece, *how) for piece, how in found.items()]
