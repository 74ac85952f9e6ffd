"""The request for keyframes on bones and the event that answers it, as JSON values and arrays.

Everything a rig holds is arrays of plain numbers, so that a rig of hundreds of bones is still one short header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from motion324.core.options.rig_settings import RigSettings
from motion324.core.rigs.rig import EULER_ORDERS, ROTATION_MODES, Armature, RiggedMotion, RigMotion, Skin
from motion324.wire.message import MAX_ID, Arrays, BulkMessage, MessageFields, new_id

MAX_BONES = 1 << 14  # that a message may name; how many can be keyed is the solver's affair
MAX_WARNINGS = 100


@dataclass(frozen=True)
class RigRequest(BulkMessage):
    """Bones for a trajectory.

    positions (T, N, 3) float32: where a rig is given, in its armature space; else in the mesh's own.
    faces (F, 3) int32: of the mesh, for a rig that is made. armature, skin: the rig that is given, or None.
    """

    kind: ClassVar[str] = "rig"
    positions: np.ndarray
    faces: np.ndarray
    settings: RigSettings = field(default_factory=RigSettings)
    armature: Armature | None = None
    skin: Skin | None = None
    name: str = ""
    job_id: str = field(default_factory=new_id)

    @property
    def doing(self) -> str:
        """What the backend does, for people."""
        return f"{'keying' if self.armature else 'making'} a rig for {self.name or 'a mesh'}"

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        arrays["positions"] = np.asarray(self.positions, np.float32)
        arrays["faces"] = np.asarray(self.faces, np.int32)
        header: dict[str, Any] = {"job_id": self.job_id, "settings": self.settings.to_dict(), "name": self.name}
        if self.armature is not None and self.skin is not None:
            header["rig"] = rig_to_wire(self.armature, self.skin, arrays)
        return header

    @classmethod
    def from_wire(cls, fields: MessageFields) -> RigRequest:
        positions = fields.array("positions", "float32", ("T", "N", 3))
        if not positions.size:
            raise fields.wrong("positions", f"has the shape {positions.shape}; it must hold something")
        armature, skin = None, None
        if fields.has("rig"):
            armature, skin = rig_from_wire(fields.within("rig", fields.record("rig")))
        return cls(
            positions=positions,
            faces=fields.indices("faces", ("F", 3), below=positions.shape[1]),
            settings=RigSettings.from_dict(fields.record("settings")),
            armature=armature,
            skin=skin,
            name=fields.text("name"),
            job_id=fields.text("job_id", MAX_ID),
        )


@dataclass(frozen=True)
class RigEvent(BulkMessage):
    """The end of a request for bones that went well."""

    kind: ClassVar[str] = "rigged"
    job_id: str
    rigged: RiggedMotion

    def to_wire(self, arrays: Arrays) -> dict[str, Any]:
        rigged = self.rigged
        return {
            "job_id": self.job_id,
            "rig": rig_to_wire(rigged.armature, rigged.skin, arrays),
            "motion": _motion_to_wire(rigged.motion, arrays),
        }

    @classmethod
    def from_wire(cls, fields: MessageFields) -> RigEvent:
        armature, skin = rig_from_wire(fields.within("rig", fields.record("rig")))
        motion = _motion_from_wire(fields.within("motion", fields.record("motion")))
        return cls(fields.text("job_id", MAX_ID), RiggedMotion(armature, skin, motion))


_KEYED = ("turned", "moved", "scaled", "held")
_VECTORS = ("location", "scale", "rotation_low", "rotation_high", "location_low", "location_high")
_NUMBERS = ("scale_low", "scale_high")
_FLAGS = ("inherits_rotation", "inherits_scale", "local_location", "connected")


def rig_to_wire(armature: Armature, skin: Skin, arrays: Arrays) -> dict[str, Any]:
    arrays["rig.parents"] = np.asarray(armature.parents, np.int32)
    arrays["rig.rest"] = np.asarray(armature.rest, np.float64)
    arrays["rig.lengths"] = np.asarray(armature.lengths, np.float64)
    arrays["rig.rotation"] = np.asarray(armature.rotation, np.float64)
    for name in (*_NUMBERS, *_VECTORS):
        arrays[f"rig.{name}"] = np.asarray(getattr(armature, name), np.float64)
    for name in _FLAGS:
        arrays[f"rig.{name}"] = np.asarray(getattr(armature, name), np.uint8)
    arrays["rig.locked_components"] = np.asarray(armature.locked_components, np.uint8)
    arrays["skin.positions"] = np.asarray(skin.positions, np.float32)
    arrays["skin.joints"] = np.asarray(skin.joints, np.int32)
    arrays["skin.weights"] = np.asarray(skin.weights, np.float32)
    return {name: list(getattr(armature, name)) for name in ("names", "rotation_modes", "limit_orders")}


def rig_from_wire(fields: MessageFields) -> tuple[Armature, Skin]:
    parents = fields.array("rig.parents", "int32", ("J",))
    count = len(parents)
    if not 0 < count <= MAX_BONES or (parents < -1).any() or (parents >= np.arange(count)).any():
        raise fields.wrong("rig.parents", f"must name for each of 1 to {MAX_BONES} bones one before it, or -1")
    names, modes, orders = (fields.texts(name, count) for name in ("names", "rotation_modes", "limit_orders"))
    known = set(modes) <= set(ROTATION_MODES) and set(orders) <= set(EULER_ORDERS)
    if not known or {len(names), len(modes), len(orders)} != {count}:
        raise fields.wrong("names", f"rotation_modes and limit_orders must be those of {count} bones")
    armature = Armature(
        names=names,
        parents=parents,
        rest=_finite(fields, "rig.rest", ("J", 4, 4)),
        lengths=_finite(fields, "rig.lengths", ("J",)),
        rotation=_finite(fields, "rig.rotation", ("J", 4)),
        rotation_modes=modes,
        limit_orders=orders,
        locked_components=fields.array("rig.locked_components", "uint8", ("J", 4)).astype(bool),
        **{name: fields.array(f"rig.{name}", "float64", ("J",)) for name in _NUMBERS},
        **{name: fields.array(f"rig.{name}", "float64", ("J", 3)) for name in _VECTORS},
        **{name: fields.array(f"rig.{name}", "uint8", ("J",)).astype(bool) for name in _FLAGS},
    )
    skin = Skin(
        positions=fields.array("skin.positions", "float32", ("N", 3)),
        joints=fields.indices("skin.joints", ("N", "K"), below=count),
        weights=fields.array("skin.weights", "float32", ("N", "K")),
    )
    return armature, skin


def _motion_to_wire(motion: RigMotion, arrays: Arrays) -> dict[str, Any]:
    for name in _KEYED:
        arrays[f"motion.{name}"] = np.asarray(getattr(motion, name), np.uint8)
    for name in ("location", "rotation", "euler", "scale", "mean", "largest"):
        arrays[f"motion.{name}"] = np.asarray(getattr(motion, name), np.float64)
    arrays["motion.worst"] = np.asarray(motion.worst, np.float32)
    return {"warnings": [dict(warning) for warning in motion.warnings], "report": motion.report}


def _motion_from_wire(fields: MessageFields) -> RigMotion:
    warnings = fields.items("warnings", MAX_WARNINGS)
    if not all(isinstance(w, dict) and all(isinstance(value, str) for value in w.values()) for w in warnings):
        raise fields.wrong("warnings", "must be a list of codes and sentences")
    return RigMotion(
        **{name: fields.array(f"motion.{name}", "uint8", ("J",)).astype(bool) for name in _KEYED},
        location=_finite(fields, "motion.location", ("T", "J", 3)),
        rotation=_finite(fields, "motion.rotation", ("T", "J", 4)),
        euler=_finite(fields, "motion.euler", ("T", "J", 3)),
        scale=_finite(fields, "motion.scale", ("T", "J", 3)),
        mean=_finite(fields, "motion.mean", ("T",)),
        largest=_finite(fields, "motion.largest", ("T",)),
        worst=fields.array("motion.worst", "float32", ("N",)),
        warnings=tuple(warnings),
        report=fields.record("report"),
    )


def _finite(fields: MessageFields, name: str, shape: tuple[int | str | None, ...]) -> np.ndarray:
    array = fields.array(name, "float64", shape)
    if not np.isfinite(array).all():
        raise fields.wrong(name, "holds values that are no numbers")
    return array
