"""Defines what a batch is to animate, tells what became of each item, and knows by what a result is done."""

from __future__ import annotations

import dataclasses
import datetime
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from motion324 import __version__
from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.input_files import file_state, numbered_lines
from motion324.core.files.json_text import read_json
from motion324.core.files.write_aside import written_aside
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.rig_settings import RigSettings
from motion324.evaluation.release import read_release
from motion324.trajectories.result_files import TRAJECTORY

DONE, KEPT, FAILED = "done", "kept", "failed"
ITEM_FILE = "item.json"
OWN, MADE = "own", "made"
RIGS = (OWN, MADE)
RIGGED = "rigged.glb"


@dataclass(frozen=True)
class BatchItem:
    """A mesh file, or how a mesh is made from the video; the video that it is animated after; and the name of its
    result folder. rig: one of RIGS, where the mesh is also wanted with keyframes on bones: those of its file, or ones
    that are made from the motion; rig_settings: of these."""

    name: str
    mesh: Path | MeshSettings
    video: Path
    options: AnimateOptions
    rig: str = ""
    rig_settings: RigSettings = field(default_factory=RigSettings)

    def fingerprint(self) -> dict[str, Any]:
        """What the result depends on, as plain values: while it stays the same, a result need not be made again."""
        if isinstance(self.mesh, MeshSettings):
            given = {"file": file_state(self.mesh.file)} if self.mesh.file else {}
            mesh = {**self.mesh.relevant(), **given}
        else:
            mesh = file_state(self.mesh)
        inputs = {"mesh": mesh, "video": file_state(self.video)}
        inputs |= {name: file_state(path) for name, path in self.options.files().items()}
        rig: dict[str, Any] = {"rig": self.rig} if self.rig else {}
        if self.rig and self.rig_settings != RigSettings():
            rig["rig_settings"] = self.rig_settings.to_dict()
        options = json.loads(json.dumps(self.options.to_dict()))
        return {"inputs": inputs, "options": options, "version": __version__, **rig}


def release_items(
    root: Path,
    options: AnimateOptions,
    only: tuple[str, ...] = (),
    made: MeshSettings | None = None,
    rig: str = "",
    rig_settings: RigSettings | None = None,
) -> list[BatchItem]:
    """The clips of a benchmark in Motion80's layout, each with its given mesh, or with one that is `made` from its
    video. Raises as read_release does.

    Folders of images have no frame rate: the result gets the one that the benchmark's description names.
    """
    return [
        BatchItem(
            clip.name,
            made or clip.mesh,
            clip.video,
            dataclasses.replace(options, fps=options.fps or clip.fps),
            rig,
            rig_settings or RigSettings(),
        )
        for clip in read_release(root, only)
    ]


def listed_items(
    path: Path,
    options: AnimateOptions,
    only: tuple[str, ...] = (),
    made: MeshSettings | None = None,
    rig: str = "",
    rig_settings: RigSettings | None = None,
) -> list[BatchItem]:
    """From a list: one JSON object a line, {"mesh": ..., "video": ..., "name": ..., "options": {...}, "rig": ...,
    "rig_settings": {...}}.

    Paths are relative to the list, those of masks and weights as well; `name` is the mesh file's, if left out, else the
    video's; options and rig_settings replace some of those of all, and a `rig` the one of all. Where meshes are `made`
    from the videos, lines need none.
    Raises Motion324Error("batch-list-unreadable", "bad-option") that names the line.
    """
    try:
        lines = numbered_lines(path)
    except ValueError as error:
        raise _bad_list(path, f"cannot be used: {error}") from error
    items = [_item(path, number, line, options, made, rig, rig_settings or RigSettings()) for number, line in lines]
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _bad_list(path, f"has two items of the name '{twice[0]}'; give one of them another \"name\"")
    missing = sorted(set(only) - set(names))
    if missing or not items:
        raise _bad_list(path, f"has no item of the name '{missing[0]}'" if missing else "has no items")
    return [item for item in items if not only or item.name in only]


def _item(
    path: Path,
    number: int,
    line: str,
    options: AnimateOptions,
    made: MeshSettings | None,
    rig: str,
    rig_settings: RigSettings,
) -> BatchItem:
    try:
        values = read_json(line)
        unknown = set(values) - {"mesh", "video", "name", "options", "rig", "rig_settings"}
        if unknown:
            raise ValueError(f"it has the unknown field '{sorted(unknown)[0]}'")
        video = path.parent / values["video"]
        file = path.parent / values["mesh"] if "mesh" in values or not made else video
        name = str(values.get("name", file.stem))
        if not name or Path(name).name != name:
            raise ValueError(f"'{name}' cannot be the name of a folder")
        rig = values.get("rig", rig)
        if rig and rig not in RIGS:
            raise ValueError(f"its rig is '{rig}'; it must be {' or '.join(RIGS)}")
        if rig and made:
            raise ValueError("it asks for a rig, which meshes that are made from videos do not get here")
        own = values.get("options", {})
        chosen = AnimateOptions.from_dict({**options.to_dict(), **own}).located(path.parent, own)
        rig_settings = RigSettings.from_dict({**rig_settings.to_dict(), **values.get("rig_settings", {})})
    except Motion324Error as error:
        raise Motion324Error(
            error.code, error.sentence, f"Correct line {number} of the list '{path}'.", error.exit_code
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise _bad_list(path, f"has a line {number} that cannot be used: {why}") from error
    return BatchItem(name, made or file, video, chosen, rig, rig_settings)


def _bad_list(path: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "batch-list-unreadable",
        f"The list '{path}' {why}.",
        'A line looks like {"mesh": "fox.glb", "video": "fox.mp4"}.',
        EXIT_USAGE,
    )


@dataclass(frozen=True)
class Outcome:
    """status: DONE; KEPT, where an earlier run had done it; or FAILED, with the error's code and sentence."""

    name: str
    status: str
    frames: int = 0
    vertices: int = 0
    seconds: float = 0.0
    reconstructor: str = ""
    overlap: float | None = None
    code: str = ""
    sentence: str = ""

    def line(self) -> str:
        """For the log and the terminal."""
        if self.status == FAILED:
            return f"{self.name}: failed ({self.code}): {self.sentence}"
        if self.status == KEPT:
            return f"{self.name}: kept from an earlier run"
        return (
            f"{self.name}: {self.frames} frames of {self.vertices} vertices in {self.seconds:.1f} s by "
            f"{self.reconstructor}, overlap {self.overlap:.2f}"
        )


def is_done(folder: Path, item: BatchItem, overlay: bool = False) -> bool:
    """Whether the folder holds the result of just this item: same files, same options, same version; and where an
    overlay is wanted, with one."""
    try:
        known = read_json((folder / ITEM_FILE).read_text(encoding="utf-8"))
        has_overlay = known.pop("overlay", False)
    except (OSError, ValueError, AttributeError):
        return False
    wanted = known == item.fingerprint() and (has_overlay or not overlay)
    wanted = wanted and (not item.rig or (folder / RIGGED).is_file())
    trajectory = folder / TRAJECTORY
    return bool(wanted) and trajectory.is_file() and trajectory.stat().st_size > 0


def mark_done(folder: Path, item: BatchItem, overlay: bool = False) -> None:
    """overlay: whether one was kept. Raises Motion324Error("disk-full" or "cannot-write")."""
    with written_aside(folder / ITEM_FILE) as aside:
        aside.write_text(json.dumps({**item.fingerprint(), "overlay": overlay}, indent=1) + "\n", encoding="utf-8")


def write_summary(path: Path, outcomes: list[Outcome]) -> dict[str, Any]:
    """Leaves all outcomes with their counts as JSON, and returns that."""
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in (DONE, KEPT, FAILED)}
    worked = [outcome for outcome in outcomes if outcome.status == DONE]
    summary = {
        **counts,
        "seconds": round(sum(outcome.seconds for outcome in worked), 3),
        "frames": sum(outcome.frames for outcome in worked),
        "items": [asdict(outcome) for outcome in outcomes],
    }
    with written_aside(path) as aside:
        aside.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def log_line(path: Path, outcome: Outcome) -> None:
    """Adds one line with the time to the log."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{now} {outcome.line()}\n")
