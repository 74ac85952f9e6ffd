"""Which units of MegaGlest become rigs, and the families they belong to, since training draws models of one body less
often. Of bodies that several units share, with other colours, two are taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from motion324.training.game_models.game_errors import missing_data
from motion324.training.game_models.megaglest.g3d_files import G3DMesh
from motion324.training.game_models.megaglest.units import Animation, bodies, build_model, found_picture, read_unit
from motion324.training.game_models.textured_model import TexturedModel

UNITS = "usr/share/games/megaglest/techs/megapack/factions"
MOST_ALIKE = 2
# Faces of the largest mesh of men who differ in nothing but what is painted on them, and what they hold.
SAME_MEN = (488, 526, 528)
OWN_BODIES = (
    *("anubis_warrior", "behemoth", "bull", "chicken", "cow", "daemon", "dragon", "elephant", "evil_dragon"),
    *("fire_golem", "genie", "ghost_armor", "golem", "ibis", "pig", "power_golem", "scarab", "sheep", "snake"),
    *("thunderbird", "wild_sow", "snake_basket", "mistletoe_tree"),
)
RIDERS = ("cavalry", "dragon_rider", "flying_valkyrie", "horseman", "tribune")
MACHINES = (
    *("air_ballista", "airship", "ballista", "battering_ram", "battle_machine", "catapult", "crossbow"),
    *("flying_carpet", "ornithopter", "turtle_formation"),
)


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name, None where no skin moves as it does.

    folder: of the unpacked package megaglest-data. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    units = sorted(path for path in (folder / UNITS).glob("*/units/*") if (path / "models").is_dir())
    if not units:
        raise missing_data(folder, "units of MegaGlest", "megaglest-data")
    alike: Counter[str] = Counter()
    looks: defaultdict[str, set[str]] = defaultdict(set)
    for unit in units:
        number = 0
        for meshes, animations in bodies(read_unit(unit)):
            kind = family(unit.name, meshes)
            if kind is None or all(each.ends for each in animations):
                continue
            body, look = body_of_meshes(meshes), look_of(meshes, unit / "models")
            if alike[body] >= MOST_ALIKE or look in looks[body]:
                continue
            alike[body] += 1
            looks[body].add(look)
            number += 1
            name = f"{kind}__{unit.parent.parent.name}_{unit.name}" + (f"_{number}" if number > 1 else "")
            yield name, partial(model_of, name, meshes, animations)


def model_of(name: str, meshes: tuple[G3DMesh, ...], animations: list[Animation]) -> TexturedModel | None:
    """With what ends, such as a fall to pieces, only where a skin can show it."""
    model = build_model(name, meshes, animations)
    going_on = [each for each in animations if not each.ends]
    return build_model(name, meshes, going_on) if model is None and len(going_on) < len(animations) else model


def family(unit: str, meshes: tuple[G3DMesh, ...]) -> str | None:
    """None for what is no body that moves: buildings."""
    if unit in RIDERS:
        return "glest_riders"
    if unit in MACHINES:
        return "glest_machines"
    if unit in OWN_BODIES:
        return "glest"
    if unit not in PEOPLE:
        return None
    return "glest_man" if max(len(mesh.faces) for mesh in meshes) in SAME_MEN else "glest_people"


def body_of_meshes(meshes: tuple[G3DMesh, ...]) -> str:
    """The same for bodies of one shape, whatever is painted on them."""
    parts = sorted(mesh.faces.tobytes() + mesh.positions[0].round(2).tobytes() for mesh in meshes)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def look_of(meshes: tuple[G3DMesh, ...], folder: Path) -> str:
    """The same for textures of one content."""
    pictures = sorted({path for mesh in meshes if (path := mesh.texture and found_picture(folder, mesh.texture))})
    return hashlib.sha256(b"".join(path.read_bytes() for path in pictures)).hexdigest()


PEOPLE = (
    *("archer", "archmage", "axe_indian", "axe_man", "axe_thrower", "battleaxe", "battleaxe_berserk", "battlemage"),
    *("cudgel_lady", "fakir", "fire_archer", "general", "gladiator", "guard", "initiate", "magician"),
    *("mummy", "priest", "princess", "shaman", "slave", "spearman", "spearman_berserk", "spearthrower"),
    *("stickfighter", "summoner", "swordman", "swordman_berserk", "swordsman", "technician", "thor", "thrall"),
    *("valkyrie", "wartime_mechanic", "worker"),
)
