"""Lists the weights that this program knows how to fetch."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.errors import EXIT_USAGE, Motion324Error


@dataclass(frozen=True)
class PublishedWeights:
    """name: as the user calls them. repository, filename: on the Hugging Face hub.

    licence: its short name; terms: what it means for the user, in sentences; licence_url: its full text.
    gigabytes: of the download, roughly.
    """

    name: str
    title: str
    repository: str
    filename: str
    licence: str
    terms: str
    licence_url: str
    gigabytes: float


MOTION_3_TO_4 = PublishedWeights(
    name="motion-3-to-4",
    title="Motion 3-to-4, as published by its authors",
    repository="River-Chen/Motion324",
    filename="ckpt_0000000000060000.pt",
    licence="CC BY-NC-SA 4.0",
    terms=(
        "These weights are the work of the authors of Motion 3-to-4, not of this program, and under another licence. "
        "You may use them for non-commercial purposes only, must name the authors, and must pass on what you make from "
        "the weights under the same licence."
    ),
    licence_url="https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
    gigabytes=3.0,
)
CATALOGUE = {weights.name: weights for weights in (MOTION_3_TO_4,)}


def find_weights(name: str) -> PublishedWeights:
    """Raises Motion324Error("bad-option") for a name that is not in the catalogue."""
    if name not in CATALOGUE:
        raise Motion324Error(
            "bad-option",
            f"The weights '{name}' are not known.",
            f"Known are: {', '.join(CATALOGUE)}, and what `motion324 weights download --help` names.",
            EXIT_USAGE,
        )
    return CATALOGUE[name]
