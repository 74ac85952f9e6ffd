"""Decides which models are trained on, which are only measured on, and how often each is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.training.synthesis.rigs import Rig

# Never trained on: one or two of each kind of thing. None shares its body or its clips with a model that is trained on,
# as the members of these packs do: men, women, KayKit's characters, fruits, cute fish, space mechs.
HELD_OUT = frozenset(
    {
        "animal_pack_vol2__Eagle",
        "animals_pack_2016__Chick",
        "animals_pack__ShibaInu",
        "animated_robot__Robot",
        "cyberpunk_pack__Character",
        "dinosaurs_pack__Apatosaurus",
        "easy_animated_enemy_pack__Wasp",
        "fish_pack__Dolphin",
        "fish_pack__Whale",
        "monster_pack_animated__Dragon",
        "monster_pack_animated__Slime",
        "platformer_game_pack__Chest",
        "platformer_game_pack__Lever",
        "zombie_animated__Zombie",
    }
)

# The same of the rigs that came later, held out since run 6; run 5 may have met some of them. Each is the only one with
# its body: the men and women, hands, trucks, robots of one maker and figures of one pack that share theirs are all
# trained on.
HELD_OUT_LATER = frozenset(
    {
        "animalworld__elephant",
        "dmcontrol__rodent",
        "flygym__neuromechfly",
        "gdquest__mannequiny",
        "godot_tps__red_robot",
        "livingfloatlands__stegosaurus",
        "marinaramobs__octopus",
        "quaternius_monsters__giant",
        "quaternius_platformer__Bee",
        "quaternius_vehicle__Bicycle",
        "robot__cassie",
        "toy__airballoon",
    }
)

# Families whose members share one body, with other dress, heads or colours.
ONE_BODY = frozenset(
    {
        "boomboxhead",
        "glest_man",
        "kaykit",
        "kaykit_adventurers",
        "kenney",
        "lugaru_rabbit",
        "lugaru_wolf",
        "quaternius_modular_men",
        "quaternius_modular_women",
        "zeroad_camel",
        "zeroad_horse",
    }
)
# Families of smooth bodies with image-like textures, hardly any of which is like another: these are what people bring.
OF_MANY_BODIES = frozenset({"glest", "stk_drivers", "zeroad"})
MANY_BODIES_COUNT = 2.0
# Families of things that move a little on bodies of very many parts.
OF_MANY_PARTS = frozenset({"glest_machines", "stk_karts", "zeroad_chariot", "zeroad_ship", "zeroad_siege"})
MANY_PARTS_COUNT = 0.5
# Families whose bodies are built of boxes, as hardly any that people bring.
OF_BOXES = frozenset(
    {"animalia", "animalworld", "livingcavesmobs", "livingfloatlands", "livingnether", "marinaramobs", "people"}
)
BOXES_COUNT = 0.7
COUNTS = {
    **dict.fromkeys(OF_BOXES, BOXES_COUNT),
    **dict.fromkeys(OF_MANY_BODIES, MANY_BODIES_COUNT),
    **dict.fromkeys(OF_MANY_PARTS, MANY_PARTS_COUNT),
}
PROCEDURAL = "creature_"  # what families of procedural creatures begin with
PROCEDURAL_COUNT = 3.0  # of a family of these at the most, however many are made


def split(rigs: Sequence[Rig]) -> tuple[list[Rig], list[Rig]]:
    """Those to train on, and those that are held out."""
    out = HELD_OUT | HELD_OUT_LATER
    return [rig for rig in rigs if rig.name not in out], [rig for rig in rigs if rig.name in out]


def none_to_train_on(folder: Path, creatures: str) -> Motion324Error:
    """creatures: the option or key that makes procedural ones."""
    return Motion324Error(
        "rigs-missing",
        f"The folder '{folder}' holds no rigged models but those that are only measured on.",
        f"Add others, or train on procedural creatures ({creatures}).",
        EXIT_BAD_MESH,
    )


def none_to_measure_on(folder: Path) -> Motion324Error:
    return Motion324Error(
        "rigs-missing",
        f"The folder '{folder}' holds none of the rigged models that are measured on and never trained on.",
        f"Add one of them at least, such as '{min(HELD_OUT)}.npz'; training/split.py names them all.",
        EXIT_BAD_MESH,
    )


def family(name: str) -> str:
    """Models of one pack are a family."""
    return name.split("__")[0]


def draw_weights(names: list[str]) -> list[float]:
    """How often each model is drawn, summing to 1: a family counts with the square root of its size, as one model where
    all of it has one body, less where its bodies are built of boxes or of very many parts, more where all differ and
    are smooth, and one of procedural creatures no more than nine models."""
    sizes = Counter(family(name) for name in names)
    raw = []
    for name in names:
        kind = family(name)
        share = sizes[kind] ** (-1.0 if kind in ONE_BODY else -0.5)
        if kind.startswith(PROCEDURAL):
            share = min(share, PROCEDURAL_COUNT / sizes[kind])
        raw.append(share * COUNTS.get(kind, 1.0))
    return [value / sum(raw) for value in raw]
