"""Describes one line of a job file: what is animated after what, how, and which files come of it.

Both commands read it here: `blender -b --python motion324_addon/headless.py -- jobs.jsonl` and `motion324 batch
jobs.jsonl`. The JSON Schema in motion324.core.jobs.job_schema says the same to other programs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.input_files import InputFile, inputs_of_job
from motion324.core.files.json_text import read_json
from motion324.core.files.vertex_textures import files_of
from motion324.core.jobs.job_resources import JobResources
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.engine_settings import ENDINGS as OF_ENGINES
from motion324.core.options.engine_settings import EngineSettings, MotionEdits, VertexTextures
from motion324.core.options.option_group import told
from motion324.core.options.rig_settings import RigSettings
from motion324.core.options.turntable_settings import Turntable, check_settings, is_video, written

SHAPE_KEYS, POINT_CACHE, ARMATURE, RIG = "SHAPE_KEYS", "POINT_CACHE", "ARMATURE", "RIG"
BONES = (ARMATURE, RIG)
KEEPS = (SHAPE_KEYS, POINT_CACHE, *BONES)
KEEP_FRAMES = "KEEP_FRAMES"  # one frame of the video is one frame of the scene
KEEP_DURATION = "KEEP_DURATION"  # a second of the video is a second of the scene
TIMINGS = (KEEP_FRAMES, KEEP_DURATION)

OUTPUTS = ("blend", "fbx", "glb", "abc", "usd", "pc2", "mdd", "npz", "turntable", "overlay", "vat", "rig")
ENDINGS = {"vat": (".json",), "rig": (".glb", ".fbx", ".blend"), "overlay": (".mp4",)}
WITHOUT_BLENDER = ("npz", "pc2", "overlay")  # what the backend alone writes,
READ_WITHOUT_BLENDER = (".glb", ".gltf", ".obj", ".ply", ".stl")  # of meshes in these files
_PATHS, _GROUPS = ("mesh", "video", "scene"), ("outputs", "options")  # the fields that name files
LAST_FRAME = 1_048_574  # of Blender's scenes, in both directions
FILE = "file://"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # how files that are elsewhere are named: s3://bucket/fox.glb


@dataclass(frozen=True)
class JobItem:
    """mesh: the path of a mesh file, or the name of an object of `scene`. video: a path.

    scene: the .blend that has the object; "" is the one that Blender has opened, if any.
    options: as in AnimateOptions. keep: one of KEEPS.
    own_pose: whether the mesh's own pose is kept at the frame before, where the result begins with another one.
    start: the scene's frame of the first result frame. timing: one of TIMINGS.
    outputs: what is written where, by the names in OUTPUTS; "turntable" is an .mp4, or a folder for PNG pictures;
    "overlay" an .mp4 of the video beside the result; "vat" is the JSON file of vertex animation textures, beside which
    the others lie; "rig" a .glb, .fbx or .blend with bones, which "keep" has to make.
    turntable, vat, rig: settings of these, as in Turntable, VertexTextures and RigSettings.
    engine, edits: for which engine the output "rig" is, None for none of them, and what is done to its motion before.
    resources: what the item needs of the machine that does it.

    Paths are relative to `folder`, that of the job file.
    """

    mesh: str
    video: str
    scene: str = ""
    options: AnimateOptions = field(default_factory=AnimateOptions)
    outputs: dict[str, Path] = field(default_factory=dict)
    keep: str = SHAPE_KEYS
    own_pose: bool = False
    start: int = 1
    timing: str = KEEP_FRAMES
    turntable: Turntable = field(default_factory=Turntable)
    vat: VertexTextures = field(default_factory=VertexTextures)
    rig: RigSettings = field(default_factory=RigSettings)
    engine: EngineSettings | None = None
    edits: MotionEdits = field(default_factory=MotionEdits)
    resources: JobResources = field(default_factory=JobResources)
    folder: Path = field(default_factory=Path)

    def path(self, text: str) -> Path:
        return self.folder / text

    def needs_blender(self) -> bool:
        """Whether it takes Blender: for the mesh, or for what is written."""
        is_read = not self.scene and Path(self.mesh).suffix.lower() in READ_WITHOUT_BLENDER
        is_plain = self.keep == SHAPE_KEYS and not self.own_pose and self.timing == KEEP_FRAMES
        return not (is_read and is_plain and all(name in WITHOUT_BLENDER for name in self.outputs))

    def inputs(self, opened: str = "") -> list[InputFile]:
        """All files that it reads. opened: the .blend that Blender has opened, if any."""
        found = inputs_of_job(self.path(self.mesh), self.path(self.video), self.options)
        scene = str(self.path(self.scene)) if self.scene else opened
        return [*found, InputFile(".blend with the mesh", Path(scene))] if scene else found

    def targets(self) -> dict[str, list[Path]]:
        """What it writes, by the names of its outputs; of a folder of pictures the first one."""
        targets = {name: [path] for name, path in self.outputs.items()}
        if "turntable" in targets:
            path = self.outputs["turntable"]
            made = written(path, self.turntable)
            targets["turntable"] = made if is_video(path) else [one / f"{self.start:04d}.png" for one in made]
        if "vat" in targets:
            targets["vat"] = list(files_of(self.outputs["vat"], self.vat))
        return targets

    def told_outputs(self) -> dict[str, str]:
        """The outputs as results tell them; of one that becomes several files the first."""
        told = {name: str(path) for name, path in self.outputs.items()}
        if "turntable" in told:
            told["turntable"] = str(written(self.outputs["turntable"], self.turntable)[0])
        return told

    def made(self) -> list[Path]:
        """The files, and folders of pictures, that are there when it is done."""
        found = [path for name, paths in self.targets().items() if name != "turntable" for path in paths]
        return found + (written(self.outputs["turntable"], self.turntable) if "turntable" in self.outputs else [])


def parse_item(line: str, folder: Path) -> JobItem:
    """Raises Motion324Error("bad-item") that says what is wrong with the line, "bad-option" or "turntable-setting"."""
    values = read_values(line)
    if elsewhere := addresses_in(values):
        raise _bad(f"names '{elsewhere[0]}', which only `motion324 batch` fetches and writes")
    known = {f.name for f in dataclasses.fields(JobItem)} - {"folder"}
    _refuse_unknown(values, known, "field")
    for name in ("mesh", "video"):
        if not isinstance(values.get(name), str) or not values[name]:
            raise _bad(f"has no '{name}'")
    if not isinstance(values.get("scene", ""), str):
        raise _bad(f"has 'scene' {told(values['scene'])}; it must be the path of a .blend")
    outputs = _outputs(values)
    for text in paths_in(values):
        if any(_never_in_names(letter) for letter in text):
            shown = "".join("?" if _never_in_names(letter) else letter for letter in text)
            raise _bad(f"has {told(shown)}, which is no name that a file can have")
    _check_start(values.get("start", 1))
    if not isinstance(values.get("own_pose", False), bool):
        raise _bad(f"has 'own_pose' {told(values['own_pose'])}; it must be true or false")
    _check_choice(values, "keep", KEEPS)
    _check_choice(values, "timing", TIMINGS)
    values["outputs"] = {name: folder / path for name, path in outputs.items()}
    # The backend, which finds their paths, runs in another folder.
    values["options"] = AnimateOptions.from_dict(values.get("options", {})).located(folder.absolute())
    values["turntable"] = Turntable.of_job(values.get("turntable", {}))
    values["vat"] = VertexTextures.from_dict(values.get("vat", {}))
    values["rig"] = RigSettings.from_dict(values.get("rig", {}))
    values["engine"] = EngineSettings.from_dict(values["engine"]) if "engine" in values else None
    values["edits"] = MotionEdits.from_dict(values.get("edits", {}))
    values["resources"] = JobResources.from_dict(values.get("resources", {}))
    item = JobItem(**values, folder=folder)
    _check_together(item)
    return item


def read_values(line: str) -> dict[str, Any]:
    """The line's fields, with paths for addresses of this machine's files. Raises Motion324Error("bad-item")."""
    try:
        values = read_json(line)
    except ValueError as error:
        raise _bad(f"cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise _bad("is no JSON object")
    here = {text: _local(text) for text in addresses_in(values) if text.startswith(FILE)}
    return replaced(values, here) if here else values


def addresses_in(values: dict[str, Any]) -> list[str]:
    """What of a line's inputs and outputs lies elsewhere, such as s3://bucket/fox.glb."""
    return [text for text in paths_in(values) if ADDRESS.match(text)]


def paths_in(values: dict[str, Any]) -> list[str]:
    """The texts of a line's fields that are, or may be, paths."""
    found = [values.get(name) for name in _PATHS]
    for name in _GROUPS:
        group = values.get(name)
        found += group.values() if isinstance(group, dict) else ()
    return [text for text in found if isinstance(text, str)]


def replaced(values: dict[str, Any], by: Mapping[str, str]) -> dict[str, Any]:
    """The fields with other texts for some of `paths_in`."""

    def other(value: Any) -> Any:
        return by.get(value, value) if isinstance(value, str) else value

    changed = {name: other(values[name]) for name in _PATHS if name in values}
    for name in _GROUPS:
        if isinstance(values.get(name), dict):
            changed[name] = {key: other(value) for key, value in values[name].items()}
    return {**values, **changed}


def _local(address: str) -> str:
    from urllib.request import url2pathname  # brings HTTP and TLS, and is rarely needed

    return url2pathname(urlsplit(address).path)  # which also unquotes it


def _outputs(values: dict[str, Any]) -> dict[str, str]:
    outputs = values.get("outputs", {})
    if not isinstance(outputs, dict) or not all(isinstance(path, str) and path for path in outputs.values()):
        raise _bad("has 'outputs' that are not names with paths")
    _refuse_unknown(outputs, OUTPUTS, "output")
    for name, path in outputs.items():
        endings = ENDINGS.get(name, (f".{name}",))
        if name != "turntable" and Path(path).suffix.lower() not in endings:
            raise _bad(f"has the output '{name}' with the name '{path}', which must end in {' or '.join(endings)}")
    return outputs


def _never_in_names(letter: str) -> bool:
    """Zero, and halves of a pair in UTF-16, which JSON can write but no file system takes."""
    return letter == "\0" or "\ud800" <= letter <= "\udfff"


def _check_together(item: JobItem) -> None:
    if "turntable" in item.outputs:
        check_settings(item.outputs["turntable"], item.turntable)
    if "rig" in item.outputs and item.keep not in BONES:
        raise _bad(f"has the output 'rig', but keeps no bones; 'keep' must be {' or '.join(BONES)} for it")
    if item.engine is None and item.edits != MotionEdits():
        raise _bad("has 'edits' of the motion, but no 'engine' that the output 'rig' is for")
    if item.engine is not None and item.outputs.get("rig", Path()).suffix.lower() != OF_ENGINES[item.engine.engine]:
        ending = OF_ENGINES[item.engine.engine]
        raise _bad(f"is for the engine '{item.engine.engine}', so its output 'rig' must be there and end in {ending}")
    if item.keep == POINT_CACHE and "blend" not in item.outputs:
        raise _bad("keeps a point cache, but has no 'blend' among its outputs beside which that could lie")


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
