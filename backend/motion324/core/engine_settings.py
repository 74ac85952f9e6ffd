"""What a rig becomes for a game engine: each option is declared here, once, as those of motion324.core.options are."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.option_group import OptionGroup
from motion324.core.option_spec import Choice, Shown, option

UNREAL, UNITY, GODOT = "unreal", "unity", "godot"
ENDINGS = {UNREAL: ".fbx", UNITY: ".fbx", GODOT: ".glb"}
MOST_INFLUENCES = 8


@dataclass(frozen=True)
class EngineSettings(OptionGroup):
    """All files have one root bone above the others, bones that move vertices and no others, and no leaf bones."""

    engine: str = option(
        GODOT,
        "what the file is for",
        choices=(
            Choice(UNREAL, "Unreal", "FBX in centimetres, Z up, nothing scaled or turned but the bones"),
            Choice(UNITY, "Unity", "FBX in metres, Y up, axes baked: nothing scaled or turned but the bones"),
            Choice(GODOT, "Godot and Web", "GLB with skin and animation"),
        ),
        shown=Shown("Engine"),
    )
    influences: int = option(
        4,
        "how many bones move a vertex at most; the lightest weights are left out",
        low=1,
        high=MOST_INFLUENCES,
        shown=Shown("Influences"),
    )
    key_tolerance: float = option(
        0.0,
        "keys are left out of a GLB where no vertex moves by more than this, in metres; 0 keeps one per frame",
        low=0,
        shown=Shown("Key Tolerance", soft_high=0.1, precision=4, unit="LENGTH"),
    )
