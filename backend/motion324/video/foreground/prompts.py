"""How a mask provider is named: "rembg:MODEL", "sam2", "sam2:box=...", "sam2:points=..."."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.errors import EXIT_USAGE, Motion324Error


@dataclass(frozen=True)
class Prompt:
    """Where the object is in the first frame, in parts of the picture's width and height, from its upper left corner.

    box: (left, top, right, bottom) or None. points: ((x, y), ...). With neither, the automatic mask of that frame.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()


def parse_prompt(text: str) -> Prompt:
    """ "", "box=0.1,0.2,0.9,0.8" or "points=0.5,0.5;0.4,0.7". Raises Motion324Error("bad-option")."""
    if not text:
        return Prompt()
    kind, _, values = text.partition("=")
    try:
        groups = tuple(tuple(float(value) for value in group.split(",")) for group in values.split(";"))
        if not all(0 <= value <= 1 for group in groups for value in group):
            raise ValueError(text)
        if kind == "box" and len(groups) == 1 and len(groups[0]) == 4:
            left, top, right, bottom = groups[0]
            if left < right and top < bottom:
                return Prompt(box=(left, top, right, bottom))
        if kind == "points" and all(len(group) == 2 for group in groups):
            return Prompt(points=tuple((group[0], group[1]) for group in groups))
        raise ValueError(text)
    except ValueError as error:
        raise Motion324Error(
            "bad-option",
            f"The option mask cannot be sam2:{text}: the prompt is box=LEFT,TOP,RIGHT,BOTTOM or points=X,Y;X,Y.",
            "Numbers are parts of the picture from 0 to 1, from its upper left corner.",
            EXIT_USAGE,
        ) from error
