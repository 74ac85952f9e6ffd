"""renders/NAME/render.json: which prediction the videos in that folder show, and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from motion324.core.errors import Motion324Error
from motion324.core.file_state import file_state
from motion324.core.write_aside import explained_write_errors, written_aside
from motion324.evaluation.alignment import Alignment
from motion324.rendering.sequence_pictures import Look

RECORD = "render.json"
TRUTH, PREDICTION = "truth", "prediction"
AGAIN = "Make them by `motion324 render --release ... --predictions ... -o ...`."


def video_name(side: str, azimuth: float) -> str:
    return f"{side}_{azimuth:03.0f}.mp4"


def forget_record(folder: Path) -> None:
    """Before videos are made anew: those of two runs must not count as one. Raises Motion324Error("cannot-write")."""
    with explained_write_errors(folder / RECORD):
        (folder / RECORD).unlink(missing_ok=True)


def write_record(folder: Path, prediction: Path, look: Look, alignment: Alignment) -> None:
    """After all videos of the folder. Raises Motion324Error("disk-full" or "cannot-write")."""
    record = {
        "prediction": file_state(prediction),
        "size": look.size,
        "azimuths": list(look.azimuths),
        "elevation": look.elevation,
        "alignment": alignment.described(),
    }
    with written_aside(folder / RECORD) as aside:
        aside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def recorded_pairs(folder: Path, prediction: Path) -> list[tuple[Path, Path]]:
    """The videos of truth and prediction that were made together, which are all there.

    Raises Motion324Error: renders-missing (also where the record is, as after a run that was stopped), or
    renders-of-another-prediction, where `prediction` is not, or no longer, what they show. It may have been moved.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        shown, azimuths = _without_path(record["prediction"]), [float(azimuth) for azimuth in record["azimuths"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Motion324Error(
            "renders-missing", f"'{folder}' holds no complete renders: its {RECORD} is missing or unreadable.", AGAIN
        ) from error
    if shown != _without_path(file_state(prediction)):
        raise Motion324Error(
            "renders-of-another-prediction",
            f"The renders in '{folder}' do not show '{prediction}' as it is now, but '{record['prediction']['path']}'.",
            AGAIN,
        )
    pairs = [(folder / video_name(TRUTH, azimuth), folder / video_name(PREDICTION, azimuth)) for azimuth in azimuths]
    for video in (video for pair in pairs for video in pair):
        if not video.is_file():
            raise Motion324Error("renders-missing", f"'{video}' is missing.", AGAIN)
    return pairs


def _without_path(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != "path"}
