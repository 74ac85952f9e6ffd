"""Makes skinned models of the free characters that Debian's cube2-data holds: the flying squirrel of "Yo Frankie!", and
Snout, each with an animation a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from motion324.training.game_models.cube2.iqm_files import IqmAnimation, IqmModel, read_animation, read_model
from motion324.training.game_models.game_errors import missing_data
from motion324.training.game_models.licences import read_copyright
from motion324.training.game_models.outward_faces import inside_out
from motion324.training.game_models.textured_model import TexturedModel

PACKAGE = "cube2-data"
GAME = "usr/share/games/cube2"
CHARACTERS = {"frankie": "Frankie.iqm", "snoutx10k": "snoutx10k.iqm"}
POSES_A_SECOND = 24.0
SHORTEST, LONGEST = 8, 96  # poses of a clip


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name.

    folder: of the unpacked package. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    notes = read_copyright(folder, PACKAGE)
    data = folder / GAME
    for name, file in CHARACTERS.items():
        home = data / "packages/models" / name
        if not (home / file).is_file():
            raise missing_data(folder, f"model '{file}' of Cube 2", PACKAGE)
        if notes.is_free(str(path.relative_to(data)) for path in home.iterdir() if path.is_file()):
            yield f"cube2__{name}", partial(build_model, f"cube2__{name}", home, file)


def build_model(name: str, home: Path, file: str) -> TexturedModel:
    model = read_model((home / file).read_bytes(), str(home / file))
    settings = (home / "iqm.cfg").read_text("utf-8") + (
        (home / "anims.cfg").read_text("utf-8") if (home / "anims.cfg").is_file() else ""
    )
    skins = dict(re.findall(r'^iqmskin\s+"?([^"\s]+)"?\s+"(?:<[^>]*>)?([^"]+)"', settings, re.MULTILINE))
    texture = np.zeros(len(model.faces), np.int64)
    textures: list[np.ndarray] = []
    for mesh, part in model.meshes.items():
        texture[part] = len(textures)
        with Image.open(home / skins[mesh]) as picture:
            textures.append(np.asarray(picture.convert("RGB")))
    turned = inside_out(model.vertices, model.faces, model.normals)
    faces = np.take_along_axis(model.faces, np.where(turned[:, None], [0, 2, 1], [0, 1, 2]), axis=1)
    return TexturedModel(
        name=name,
        vertices=model.vertices,
        faces=faces,
        uv=model.uv[faces],
        texture=texture,
        textures=textures,
        joints=model.joints,
        weights=model.weights,
        clips=[clip for path, rate in animations(settings, home).items() for clip in clips(model, path, rate)],
    )


def animations(settings: str, home: Path) -> dict[Path, float]:
    """Files, each once, and how many of their frames a second pass; 0: as many as they say themselves."""
    found: dict[Path, float] = {}
    for file, rate in re.findall(r'^iqmanim\s+"[^"]*"\s+"([^"]+)"[ \t]*(-?[\d.]*)', settings, re.MULTILINE):
        if (home / file).is_file():
            found.setdefault(home / file, max(float(rate or 0), 0.0))
    return found


def clips(model: IqmModel, path: Path, rate: float) -> Iterator[np.ndarray]:
    """Skinning matrices (T, B, 3, 4), POSES_A_SECOND; long ones in pieces."""
    animation = read_animation(path.read_bytes(), str(path))
    if animation.places.shape[1] != len(model.parents):
        return
    poses = model.skinning(at_even_times(animation, rate or animation.rate))[:, :, :3]
    for first in range(0, len(poses), LONGEST):
        if len(poses) - first >= SHORTEST:
            yield poses[first : first + LONGEST]


def at_even_times(animation: IqmAnimation, rate: float) -> np.ndarray:
    """The frames that are nearest to the poses' times: the files hold as many as they need."""
    count = len(animation.places)
    poses = max(SHORTEST, round(count / max(rate, 1e-3) * POSES_A_SECOND)) if count > 1 else 1
    return animation.places[np.linspace(0, count - 1, poses).round().astype(int)]
