"""Says as a JSON Schema what a line of a job file may be, from the declarations that read it."""

from __future__ import annotations

from typing import Any

from motion324.core.jobs.job_item import ENDINGS, KEEPS, LAST_FRAME, OUTPUTS, TIMINGS
from motion324.core.jobs.job_resources import JobResources
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.engine_settings import EngineSettings, MotionEdits, VertexTextures
from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import OptionSpec
from motion324.core.options.rig_settings import RigSettings
from motion324.core.options.turntable_settings import Turntable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PATH = {"type": "string", "minLength": 1}


def job_schema() -> dict[str, Any]:
    """Of one line. What its fields must be together, such as the file's ending that an engine takes, is told by
    motion324.core.jobs.job_item alone."""
    return {
        "$schema": DIALECT,
        "title": "A line of a job file of Motion324 for Blender",
        "description": "What is animated after what, how, and which files come of it. Paths are relative to the job "
        "file; `motion324 batch` also takes addresses such as s3://bucket/fox.glb.",
        "type": "object",
        "required": ["mesh", "video"],
        "additionalProperties": False,
        "properties": {
            "mesh": {**_PATH, "description": "a mesh file, or the name of an object of the .blend"},
            "video": {**_PATH, "description": "a video, or a folder of images"},
            "scene": {"type": "string", "description": "the .blend that has the object"},
            "options": _of_group(AnimateOptions),
            "keep": {"enum": list(KEEPS), "description": "as what Blender keeps the result"},
            "own_pose": {"type": "boolean", "description": "keep the mesh's own pose before another one"},
            "start": {"type": "integer", "minimum": -LAST_FRAME, "maximum": LAST_FRAME},
            "timing": {"enum": list(TIMINGS)},
            "outputs": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: _output(name) for name in OUTPUTS},
            },
            "turntable": _of_group(Turntable),
            "vat": _of_group(VertexTextures),
            "rig": _of_group(RigSettings),
            "engine": _of_group(EngineSettings),
            "edits": _of_group(MotionEdits),
            "resources": _of_group(JobResources),
        },
    }


def _output(name: str) -> dict[str, Any]:
    if name == "turntable":
        return {**_PATH, "description": "an .mp4, or a folder for PNG pictures"}
    endings = "|".join(ending.removeprefix(".") for ending in ENDINGS.get(name, (f".{name}",)))
    return {**_PATH, "pattern": _ends_in(endings)}


def _ends_in(endings: str) -> str:
    """A pattern in which case does not count, as JSON Schema has no flags."""
    either = "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in endings)
    return rf"\.({either})$"


def _of_group(group: type[OptionGroup]) -> dict[str, Any]:
    properties = {name: _of_option(spec) for name, spec in group.specs().items() if spec.on_wire}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _of_option(spec: OptionSpec) -> dict[str, Any]:
    """Numbers and slices may be texts as well, as on a command line."""
    described: dict[str, Any] = {"description": spec.help}
    number: dict[str, Any] = {"type": "integer" if spec.kind is int else "number"}
    if spec.low is not None:
        number["exclusiveMinimum" if spec.above_low else "minimum"] = spec.low
    if spec.high is not None:
        number["maximum"] = spec.high
    kinds: list[dict[str, Any]]
    if spec.kind is bool:
        kinds = [{"type": "boolean"}]
    elif spec.kind in (int, float):
        kinds = [number, {"type": "string"}]
    elif spec.kind is tuple:
        part = {"type": ["integer", "null", "string"]}
        kinds = [{"type": "string"}, {"type": "array", "items": part, "minItems": 3, "maxItems": 3}]
    elif spec.choices and spec.also is None:
        kinds = [{"enum": list(spec.values)}]
    else:
        kinds = [{"type": "string"}]
    if spec.optional:
        kinds.append({"type": "null"})
    return {**described, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}
