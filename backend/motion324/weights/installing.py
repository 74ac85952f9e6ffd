"""Lists the published weights on this machine, and fetches them to a converted file that a model can load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.progress import Progress, silent
from motion324.weights import hub, store
from motion324.weights.catalogue import CATALOGUE, PublishedWeights


@dataclass(frozen=True)
class InstalledWeights:
    """weights: of the catalogue. path: of the converted file; bytes: its size, 0 where it is not there.

    accepted: whether the user has accepted the licence.
    """

    weights: PublishedWeights
    path: Path
    bytes: int
    accepted: bool


def list_weights() -> list[InstalledWeights]:
    """All of the catalogue, with what is on this machine."""
    found = []
    for weights in CATALOGUE.values():
        path = store.converted_path(weights)
        size = path.stat().st_size if path.is_file() else 0
        found.append(InstalledWeights(weights, path, size, store.is_accepted(weights)))
    return found


def install(
    weights: PublishedWeights,
    convert: Callable[[Path, Path, PublishedWeights], object],
    progress: Progress = silent,
    *,
    keep_original: bool = False,
) -> Path:
    """Downloads and converts the weights, whose licence the user has accepted; returns the converted file.

    convert: makes the converted file (second) from the published one (first); the model that reads it knows how.
    The published file is removed after that, unless it is to be kept or was in huggingface-hub's cache already.

    Raises Motion324Error("licence-not-accepted"), and what `hub.fetch` and `convert` raise.
    """
    if not store.is_accepted(weights):
        raise Motion324Error(
            "licence-not-accepted",
            f"The licence of these weights ({weights.licence}) has not been accepted.",
            f"Read it at {weights.licence_url}, then run `motion324 weights download` and agree.",
            EXIT_USAGE,
        )
    target = store.converted_path(weights)
    if target.is_file():
        return target
    original = hub.fetch(weights, progress)
    convert(original, target, weights)
    if not keep_original:
        hub.remove_fetched(original)
    return target
