"""Which models of SuperTuxKart become rigs: characters in their karts, and what moves beside the tracks, where the
package's copyright file puts the model and all that is painted on it under a licence that lets it be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from motion324.training.game_models.game_errors import missing_data
from motion324.training.game_models.licences import Copyright, read_copyright
from motion324.training.game_models.supertuxkart.models import Kart, build_model, driver_of, read_kart, whole_time
from motion324.training.game_models.supertuxkart.spm_files import Surface, read_spm
from motion324.training.game_models.textured_model import TexturedModel

PACKAGE = "supertuxkart-data"
GAME = "usr/share/games/supertuxkart"
BESIDE = (
    "library/stklib_aztekGirlCheering_a/stklib_aztekGirlCheering_a_main.spm",
    "library/stklib_beachGuy_a/stklib_beachGuy_a_main.spm",
    "library/stklib_beachWomen_a/stklib_beachWomen_a_main.spm",
    "library/stklib_kiki_a/stklib_kiki_a_main.spm",
    "library/stklib_monkeyCheering_a/stklib_monkeyCheering_a_main.spm",
    "library/stklib_prayerFlags_a/stklib_prayerFlags_a_main.spm",
    "library/stklib_redCrab_a/stklib_redCrab_a_main.spm",
    "library/stklib_redParrot_a/stklib_redParrot_a_mainstklib_redParrot_a_main.spm",
    "library/stklib_silvianGirl_a/stklib_silvianGirl_a_main.spm",
    "library/stklib_wilbertSecurity_a/stklib_wilbertSecurity_a_main.spm",
    "models/blue_flag.spm",
    "models/chest.spm",
    "models/parachute.spm",
    "models/swatter_anim.spm",
    "models/thunderbird.spm",
    "tracks/ancient_colosseum_labyrinth/Nolok.spm",
    "tracks/ancient_colosseum_labyrinth/Sara.spm",
    "tracks/black_forest/stklib_steamengine.spm",
    "tracks/introcutscene2/TuxIntro.spm",
    "tracks/ravenbridge_mansion/ghost.spm",
)
ONE_WITH_KART = ("puffy", "wilber", "xue")  # which grow out of their karts
LIGHTS = ("gfxglow", "halo", "fog.")  # in the names of textures
MOST_PLAIN = 0.3  # of the faces: those whose texture may not be taken become grey
PICTURES = ("textures", "karts", "models")  # folders with those that models share


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name.

    folder: of the unpacked package supertuxkart-data. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    notes = read_copyright(folder, PACKAGE)
    data = folder / GAME / "data"
    if not (data / "karts").is_dir():
        raise missing_data(folder, "karts of SuperTuxKart", PACKAGE)
    karts = [read_kart(path.parent) for path in sorted((data / "karts").glob("*/kart.xml"))]
    karts = [kart for kart in karts if kart.model.is_file()]
    for kart in karts:
        if kart.name not in ONE_WITH_KART:
            rides = bool(kart.wheels)  # others fly, with what they sit on
            yield from _one(f"stk_drivers__{kart.name}", kart.model, data, notes, kart, alone=rides)
    for beside in BESIDE:
        path = data / beside
        if path.is_file():
            name = path.stem.removeprefix("stklib_").partition("_a_")[0]
            yield from _one(f"stk__{name}", path, data, notes, None, alone=True)
    for kart in karts:
        if kart.wheels or kart.name in ONE_WITH_KART:
            yield from _one(f"stk_karts__{kart.name}", kart.model, data, notes, kart, alone=False)


def _one(
    name: str, path: Path, data: Path, notes: Copyright, kart: Kart | None, alone: bool
) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Nothing where the model may not be taken, or too much of what is painted on it. alone: without the kart."""
    model = read_spm(path.read_bytes(), str(path))
    if not model.armatures or not notes.is_free([str(path.relative_to(data.parent))]):
        return
    model = replace(model, surfaces=tuple(each for each in model.surfaces if not _is_light(each)))
    if kart and alone:
        model = driver_of(model)
    wheels = [] if alone or kart is None else kart.wheels
    surfaces = [surface for each in (model, *(wheel.model for wheel in wheels)) for surface in each.surfaces]
    pictures = {each.texture: _free_picture(each.texture, path.parent, data, notes) for each in surfaces}
    plain = sum(len(each.faces) for each in surfaces if each.texture and pictures[each.texture] is None)
    if surfaces and plain <= MOST_PLAIN * sum(len(each.faces) for each in surfaces):
        animations = kart.animations if kart and kart.animations else whole_time(model)
        yield name, partial(build_model, name, model, animations, wheels, pictures)


def _is_light(surface: Surface) -> bool:
    """Halos and the like, which the game adds to what is behind them."""
    return any(word in surface.texture.lower() for word in LIGHTS)


def _free_picture(texture: str, beside: Path, data: Path, notes: Copyright) -> Path | None:
    places = [beside, *(data / each for each in PICTURES)]
    path = next((place / texture for place in places if texture and (place / texture).is_file()), None)
    return path if path and notes.is_free([str(path.relative_to(data.parent))]) else None
