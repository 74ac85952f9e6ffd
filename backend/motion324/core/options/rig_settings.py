"""What a user may choose of keyframes on bones: each option is declared here, once, as animate_options does."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.options.option_group import OptionGroup, bad_option
from motion324.core.options.option_spec import Choice, Flag, Shown, option

ROOT, UNCONNECTED, AUTO = "root", "unconnected", "auto"
MOST_MADE_BONES = 256


# Which count with which kind of rig, and where the panel shows them; the armature itself is a choice of its own.
OF_GIVEN, OF_MADE = ("locations", "scale"), ("bones", "influences", "tolerance")


@dataclass(frozen=True)
class RigSettings(OptionGroup):
    """What each of them means is its help."""

    locations: str = option(
        AUTO,
        "which bones of a given rig may move as well as turn: the root only, all that are not connected to their "
        "parent, or these where it brings the mesh clearly nearer",
        choices=(
            Choice(AUTO, "Automatic", "The root's, and others' only where that brings the mesh clearly nearer"),
            Choice(ROOT, "Root", "Only the uppermost bone moves, all others turn"),
            Choice(UNCONNECTED, "Unconnected", "All bones that are not connected to their parent move and turn"),
        ),
        shown=Shown("Locations", "Which bones move as well as turn", panel="Result"),
    )
    scale: bool = option(
        False,
        "bones of a given rig may also grow and shrink, along all axes alike",
        shown=Shown("Scale", "Bones may also grow and shrink, along all axes alike", panel="Result"),
    )
    armature: str | None = option(
        None,
        "the name of the armature whose bones are keyed, where several move the mesh, or none does that has bones of "
        "its vertex groups' names",
        shown=Shown("Armature", "Whose bones are keyed, where several armatures move the mesh, or none yet"),
    )
    bones: int | None = option(
        None,
        "how many bones a made rig has, instead of the fewest that stay within the tolerance",
        low=1,
        high=MOST_MADE_BONES,
        flag=Flag(metavar="auto|N", default=AUTO),
        shown=Shown("Bones", "How many bones; 0 takes the fewest that stay within the tolerance", panel="Result"),
    )
    influences: int = option(
        4,
        "how many bones of a made rig may move one vertex",
        low=1,
        high=8,
        flag=Flag(metavar="N"),
        shown=Shown("Influences", "How many bones may move one vertex", panel="Result"),
    )
    tolerance: float = option(
        0.4,
        "mean distance to the trajectory that a made rig may have, in percent of the longest side",
        low=0.01,
        high=20,
        flag=Flag(metavar="PERCENT"),
        shown=Shown("Tolerance", "Mean distance to the result, in percent of the longest side", panel="Result"),
    )

    def check_counts(self, with_given: bool) -> None:
        """Raises Motion324Error("bad-option") where something was chosen that such a rig does not look at."""
        idle = OF_MADE if with_given else (*OF_GIVEN, "armature")
        for name in idle:
            if getattr(self, name) != self.specs()[name].default:
                raise bad_option(name, f"counts for {'rigs that are made' if with_given else 'given rigs'} only")
