"""Knows where converted weights lie on this machine, which licences the user has accepted, and installs weights."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.progress import Progress, silent
from motion324.weights import hub
from motion324.weights.hub import CATALOGUE, MOTION_3_TO_4, PublishedWeights

FOLDER_VARIABLE = "MOTION324_WEIGHTS"
CONSENTS = "accepted_licences.json"


class Licensed(Protocol):
    """Weights of any kind, as far as consent to their licence goes."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def licence(self) -> str: ...

    @property
    def licence_url(self) -> str: ...


def weights_folder() -> Path:
    """The folder that the environment variable MOTION324_WEIGHTS names, or the platform's place for a user's data."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Motion324" / "Weights"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "Motion324" / "Weights"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "motion324" / "weights"


def converted_path(weights: PublishedWeights) -> Path:
    """Where the converted file is, or would be."""
    return weights_folder() / f"{weights.name}.safetensors"


def installed_path(weights: PublishedWeights = MOTION_3_TO_4) -> Path:
    """The converted file. Raises Motion324Error("weights-missing") where it is not there."""
    path = converted_path(weights)
    if not path.is_file():
        raise Motion324Error(
            "weights-missing",
            f"The weights of {weights.title.split(',')[0]} are not installed (there is no {path}).",
            f"Run `motion324 weights download {weights.name}`, which shows their licence first.",
            EXIT_USAGE,
        )
    return path


def is_accepted(weights: Licensed) -> bool:
    """Whether the user has accepted the weights' licence on this machine before."""
    return _consents().get(weights.name, {}).get("licence") == weights.licence


def require_consent(weights: Licensed) -> None:
    """Raises Motion324Error("licence-not-accepted")."""
    if not is_accepted(weights):
        raise Motion324Error(
            "licence-not-accepted",
            f"The licence of {weights.title} ({weights.licence}) has not been accepted.",
            f"Read it at {weights.licence_url}, then run `motion324 weights download {weights.name}` and agree.",
            EXIT_USAGE,
        )


def accept(weights: Licensed) -> None:
    """Remembers that the user has seen and accepted the licence. Raises Motion324Error("cannot-write")."""
    path = weights_folder() / CONSENTS
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    consents = {**_consents(), weights.name: {"licence": weights.licence, "date": today}}
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        aside.write_text(json.dumps(consents, indent=1), "utf-8")


def _consents() -> dict[str, dict[str, str]]:
    with contextlib.suppress(OSError, ValueError):
        found = read_json((weights_folder() / CONSENTS).read_text("utf-8"))
        if isinstance(found, dict):
            return {name: entry for name, entry in found.items() if isinstance(entry, dict)}
    return {}


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
        path = converted_path(weights)
        size = path.stat().st_size if path.is_file() else 0
        found.append(InstalledWeights(weights, path, size, is_accepted(weights)))
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
    require_consent(weights)
    target = converted_path(weights)
    if target.is_file():
        return target
    original = hub.fetch(weights, progress)
    convert(original, target, weights)
    if not keep_original:
        hub.remove_fetched(original)
    return target
