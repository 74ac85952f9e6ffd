"""A rig and its motion as one .npz without pickles, for the processes of one machine. Needs numpy only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.rigs.rig import Armature, RigMotion, Skin


def save_rig(path: Path, armature: Armature, skin: Skin, motion: RigMotion | None = None, **more: np.ndarray) -> None:
    """more: arrays that are kept beside them, by names without a dot."""
    arrays: dict[str, Any] = dict(more)
    header: dict[str, Any] = {}
    for name, part in (("armature", armature), ("skin", skin), ("motion", motion)):
        if part is None:
            continue
        for each in dataclasses.fields(part):
            value = getattr(part, each.name)
            if isinstance(value, np.ndarray):
                arrays[f"{name}.{each.name}"] = value
            else:
                header[f"{name}.{each.name}"] = value
    arrays["header"] = np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)
    np.savez(path, **arrays)


def load_rig(path: Path) -> tuple[Armature, Skin, RigMotion | None, dict[str, np.ndarray]]:
    """What `save_rig` wrote; None where there was no motion."""
    with np.load(path, allow_pickle=False) as loaded:
        arrays = dict(loaded)
    header = json.loads(arrays.pop("header").tobytes().decode("utf-8"))
    values = {**header, **arrays}
    more = {name: value for name, value in arrays.items() if "." not in name}
    armature = Armature(**{key: _frozen(value) for key, value in _part(values, "armature").items()})
    motion = _part(values, "motion")
    return (
        armature,
        Skin(**_part(values, "skin")),
        RigMotion(**{key: _frozen(value) for key, value in motion.items()}) if motion else None,
        more,
    )


def _part(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
