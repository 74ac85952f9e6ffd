"""Where converted weights lie on this machine, and which licences the user has accepted."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
from pathlib import Path
from typing import Protocol

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.write_aside import explained_write_errors, written_aside
from motion324.weights.catalogue import MOTION_3_TO_4, PublishedWeights

FOLDER_VARIABLE = "MOTION324_WEIGHTS"
CONSENTS = "accepted_licences.json"


class Licensed(Protocol):
    """Weights of any kind, as far as consent to their licence goes."""

    @property
    def name(self) -> str: ...

    @property
    def licence(self) -> str: ...


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
        found = json.loads((weights_folder() / CONSENTS).read_text("utf-8"))
        if isinstance(found, dict):
            return {name: entry for name, entry in found.items() if isinstance(entry, dict)}
    return {}
