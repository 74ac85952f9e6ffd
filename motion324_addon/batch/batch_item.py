"""Describes one line of a job file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motion324.core.engine_settings import ENDINGS as OF_ENGINES
from motion324.core.engine_settings import EngineSettings, MotionEdits, VertexTextures
from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.option_group import told
from motion324.core.options import AnimateOptions
from motion324.core.rig_settings import RigSettings

from ..scene.playing import keeping, timing
from ..scene.showing.turntable import check_settings
from ..scene.showing.turntable_settings import Turntable

OUTPUTS = ("blend", "fbx", "glb", "abc", "usd", "pc2", "mdd", "npz", "turntable", "vat", "rig")
ENDINGS = {"vat": (".json",), "rig": (".glb", ".fbx", ".blend")}
LAST_FRAME = 1_048_574  # of Blender's scenes, in both directions


@dataclass(frozen=True)
class BatchItem:
    """mesh: the name of an object of the opened .blend, or the path of a mesh file.
    video: a path. options: as in AnimateOptions. keep: "SHAPE_KEYS", "POINT_CACHE", "ARMATURE" or "RIG".
    own_pose: whether the mesh's own pose is kept at the frame before, where the result begins with another one.
    start: the scene's frame of the first result frame. timing: "KEEP_FRAMES" or "KEEP_DURATION".
    outputs: what is written where, by the names in OUTPUTS; "turntable" is an .mp4, or a folder for PNG pictures; "vat"
    is the JSON file of vertex animation textures, beside which the others lie.
    "rig" a .glb, .fbx or .blend with bones, which "keep" has to make.
    turntable: its settings, as in scene.showing.turntable_settings.Turntable.
    vat: its settings, as in motion324.core.engine_settings.VertexTextures.
    rig: how bones are keyed, as in RigSettings.
    engine, edits: for which engine the output "rig" is, None for none of them, and what is done to its motion before;
    as in motion324.core.engine_settings.

    Paths are relative to the folder of the job file.
    """

    mesh: str
    video: str
    options: AnimateOptions = field(default_factory=AnimateOptions)
    outputs: dict[str, Path] = field(default_factory=dict)
    keep: str = keeping.SHAPE_KEYS
    own_pose: bool = False
    start: int = 1
    timing: str = timing.KEEP_FRAMES
    turntable: Turntable = field(default_factory=Turntable)
    vat: VertexTextures = field(default_factory=VertexTextures)
    rig: RigSettings = field(default_factory=RigSettings)
    engine: EngineSettings | None = None
    edits: MotionEdits = field(default_factory=MotionEdits)
    folder: Path = field(default_factory=Path)

    def path(self, text: str) -> Path:
        return self.folder / text


def parse_item(line: str, folder: Path) -> BatchItem:
    """Raises Motion324Error("bad-item") that says what is wrong with the line, "bad-option" or "turntable-setting"."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise _bad(f"is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise _bad("is no JSON object")
    known = {f.name for f in dataclasses.fields(BatchItem)} - {"folder"}
    _refuse_unknown(values, known, "field")
    for name in ("mesh", "video"):
        if not isinstance(values.get(name), str) or not values[name]:
            raise _bad(f"has no '{name}'")
    outputs = values.get("outputs", {})
    if not isinstance(outputs, dict) or not all(isinstance(path, str) and path for path in outputs.values()):
        raise _bad("has 'outputs' that are not names with paths")
    _refuse_unknown(outputs, OUTPUTS, "output")
    for name, path in outputs.items():
        endings = ENDINGS.get(name, (f".{name}",))
        if name != "turntable" and Path(path).suffix.lower() not in endings:
            raise _bad(f"has the output '{name}' with the name '{path}', which must end in {' or '.join(endings)}")
    _check_start(values.get("start", 1))
    if not isinstance(values.get("own_pose", False), bool):
        raise _bad(f"has 'own_pose' {told(values['own_pose'])}; it must be true or false")
    _check_choice(values, "keep", (keeping.SHAPE_KEYS, keeping.POINT_CACHE, *keeping.BONES))
    _check_choice(values, "timing", (timing.KEEP_FRAMES, timing.KEEP_DURATION))
    values["outputs"] = {name: folder / path for name, path in outputs.items()}
    # The backend, which finds their paths, runs in another folder.
    values["options"] = AnimateOptions.from_dict(values.get("options", {})).located(folder.absolute())
    values["turntable"] = Turntable.of_job(values.get("turntable", {}))
    values["vat"] = VertexTextures.from_dict(values.get("vat", {}))
    values["rig"] = RigSettings.from_dict(values.get("rig", {}))
    values["engine"] = EngineSettings.from_dict(values["engine"]) if "engine" in values else None
    values["edits"] = MotionEdits.from_dict(values.get("edits", {}))
    item = BatchItem(**values, folder=folder)
    if "turntable" in item.outputs:
        check_settings(item.outputs["turntable"], item.turntable)
    if "rig" in item.outputs and item.keep not in keeping.BONES:
        raise _bad(f"has the output 'rig', but keeps no bones; 'keep' must be {' or '.join(keeping.BONES)} for it")
    if item.engine is None and item.edits != MotionEdits():
        raise _bad("has 'edits' of the motion, but no 'engine' that the output 'rig' is for")
    if item.engine is not None and item.outputs.get("rig", Path()).suffix.lower() != OF_ENGINES[item.engine.engine]:
        ending = OF_ENGINES[item.engine.engine]
        raise _bad(f"is for the engine '{item.engine.engine}', so its output 'rig' must be there and end in {ending}")
    if item.keep == keeping.POINT_CACHE and "blend" not in item.outputs:
        raise _bad("keeps a point cache, but has no 'blend' among its outputs beside which that could lie")
    return item


def _refuse_unknown(values: dict[str, Any], known: Any, kind: str) -> None:
    for name in values:
        if name not in known:
            raise _bad(f"has the unknown {kind} '{name}'; known are {', '.join(sorted(known))}")


def _check_start(start: Any) -> None:
    is_whole = isinstance(start, int) and not isinstance(start, bool)
    if not is_whole or abs(start) > LAST_FRAME:
        raise _bad(f"has 'start' {told(start)}; it must be a whole number of up to {LAST_FRAME}, without quotes")


def _check_choice(values: dict[str, Any], name: str, choices: tuple[str, ...]) -> None:
    if name in values and values[name] not in choices:
        raise _bad(f"has '{name}' {told(values[name])}; it must be {' or '.join(choices)}")


def _bad(why: str) -> Motion324Error:
    return Motion324Error("bad-item", f"This line of the job file {why}.", "Correct it.", EXIT_USAGE)
