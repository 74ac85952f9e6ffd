"""Which models of 0 A.D. become rigs: every kind of animal once, and of units those that differ most.

Families are named for what their members share, since training draws models of one body less often.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.zero_ad.actors import ART, Archive
from motion324.training.game_models.zero_ad.models import Part, build_model, read_part

PLACES = ("fauna", "units", "campaigns", "structures")  # of actors that may move
# By the folder or the beginning of the name of a body's mesh: the family, and the most of its members that are taken.
# What is not named here does not become a rig.
FAMILIES = (
    ("skeletal/horse", "zeroad_horse", 12),
    ("skeletal/pony", "zeroad_horse", 12),
    ("skeletal/elephant", "zeroad_elephant", 16),
    ("skeletal/camel", "zeroad_camel", 5),
    ("skeletal/new/", "zeroad_people", 60),
    ("skeletal/trader_cart", "zeroad_chariot", 16),
    ("skeletal/maur_trader", "zeroad_chariot", 16),
    ("skeletal/celt_trader", "zeroad_chariot", 16),
    ("skeletal/flare", "", 0),
    ("skeletal/target", "", 0),
    ("skeletal/bird_circle", "", 0),
    ("skeletal/animal_fish_shoal", "", 0),
    ("skeletal/fish_generic", "", 0),  # a shoal, as those above
    ("skeletal/", "zeroad", 100),
    ("props/siege_artillery", "zeroad_siege", 24),
    ("props/special", "zeroad_chariot", 16),
    ("structural/", "zeroad_siege", 24),
)
UNARMED = ("zeroad_unarmed", 24)  # the same people with empty hands
IN_HANDS = ("weapon", "shield", "sheath", "back", "spina")
CAVALRY = ("zeroad_cavalry", 24)  # horses that somebody rides
SAILING = ("zeroad_ship", 16)
WITH_WHEELS = ("char", "wagon", "trader")
SHIPS = ("ship", "boat", "reme", "pentekonter")
NOT_ALONE = ("_r", "_d", "_h", "_h1", "_h2", "_l")  # riders, drivers, and what draws, which stand on something else
ENGINES = ("siege", "units/")  # what the names of engines hold: buildings with something that moves become no rigs
GATES = "gate"
DRAWS = 6
SAME_BODY = 0.009  # of the longest side: vertices of two meshes that lie closer on average


@dataclass(frozen=True)
class Candidate:
    family: str
    most: int
    actor: str
    seed: int
    part: Part
    meshes: frozenset[str]
    look: frozenset[str]

    @property
    def name(self) -> str:
        body = Path(self.part.actor.mesh).stem if self.family == "zeroad" else ""
        actor = self.actor.removesuffix(".xml").split("/", 1)[1].replace("/", "_")
        return f"{self.family}__{body or actor}"


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name, None where nothing moves it.

    folder: of the unpacked package 0ad-data. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    archive = Archive(folder)
    for one in chosen(list(candidates(archive))):
        yield one.name, partial(build_model, archive, one.part, one.name, one.seed)


def candidates(archive: Archive) -> Iterator[Candidate]:
    for path in sorted(archive.names):
        parts = path.split("/")
        if parts[:2] != [ART, "actors"] or parts[2] not in PLACES or not path.endswith(".xml"):
            continue
        actor = path.removeprefix(f"{ART}/actors/")
        if Path(actor).stem.endswith(NOT_ALONE):
            continue
        for draw in range(DRAWS if parts[2] == "fauna" else 1):  # animals of some kinds have one of several bodies
            seed = zlib.crc32(actor.encode()) + draw
            part = read_part(archive, actor, np.random.default_rng(seed))
            found = None if part is None or part.mesh is None else family_of(part)
            if part is not None and found is not None:
                yield candidate(*found, actor, seed, part)
                if found[0] == "zeroad_people":
                    bare = [one for one in part.hung if not one.point.startswith(IN_HANDS)]
                    yield candidate(*UNARMED, actor, seed, replace(part, hung=bare))


def candidate(family: str, most: int, actor: str, seed: int, part: Part) -> Candidate:
    meshes = frozenset(one.actor.mesh for one in part.all() if one.actor.mesh)
    look = meshes | {one.actor.texture for one in part.all() if one.actor.texture}
    return Candidate(family, most, actor, seed, part, meshes, look)


def family_of(part: Part) -> tuple[str, int] | None:
    """None: it does not move, or becomes no rig."""
    if not any(one.is_moved for one in part.all()):
        return None
    mesh = part.actor.mesh
    rule = next(((family, most) for start, family, most in FAMILIES if mesh.startswith(start)), None)
    if rule is None or not rule[0] or GATES in mesh:
        return None
    family, most = rule
    if family == "zeroad_horse":
        people = any(one.actor.mesh.startswith("skeletal/new/") for one in part.all())
        return CAVALRY if people else rule
    if family == "zeroad_siege":
        if any(word in part.actor.name for word in SHIPS):
            return SAILING
        if not any(word in part.actor.name for word in ENGINES):
            return None
        if not any(one.is_moved for one in part.all() if not one.actor.mesh.startswith(("skeletal/", "props/banner"))):
            return None
        if any(word in mesh for word in WITH_WHEELS):
            return "zeroad_chariot", 16
    return family, most


def chosen(all_of_them: list[Candidate]) -> list[Candidate]:
    """Of each family the members that differ most, no two of the same meshes; those of fauna before others."""
    taken = []
    for family in sorted({one.family for one in all_of_them}):
        rest = [one for one in all_of_them if one.family == family]
        bodies: Counter[str] = Counter()
        looks: Counter[str] = Counter()
        have: list[frozenset[str]] = []
        while rest and len(have) < rest[0].most:
            best = max(rest, key=lambda one: (novelty(one, bodies, looks), one.actor.startswith("fauna"), one.actor))
            taken.append(best)
            have.append(best.meshes)
            bodies[best.part.actor.mesh] += 1
            looks.update(best.look)
            rest = [one for one in rest if one.meshes not in have]
            if family == "zeroad":
                rest = [one for one in rest if not has_same_body(one.part, best.part)]
    return taken


def has_same_body(one: Part, other: Part) -> bool:
    """Whether two meshes are the same, but for their size and small changes."""
    if one.mesh is None or other.mesh is None or len(one.mesh.vertices) != len(other.mesh.vertices):
        return False
    places = [part.mesh.vertices - part.mesh.vertices.mean(axis=0) for part in (one, other) if part.mesh is not None]
    first, second = (place / np.ptp(place, axis=0).max() for place in places)
    return float(np.linalg.norm(first - second, axis=1).mean()) < SAME_BODY


def novelty(one: Candidate, bodies: Counter[str], looks: Counter[str]) -> float:
    """How little of a model was seen in those before: its body counts as much as all that hangs on it."""
    new = [1 / (1 + looks[name]) for name in one.look]
    return 1 / (1 + bodies[one.part.actor.mesh]) + sum(new) / (4 + len(new))
