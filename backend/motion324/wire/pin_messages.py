"""Converts pins, and the earlier result that they correct, to arrays and back with checks.

A corrected pose has as many numbers as a mesh: all that pins hold are arrays, so that the header stays short.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from motion324.core.motion.pins import MAX_PINS, REACH, Pins, PointPin, PosePin, StillPin
from motion324.core.result import AnimationResult
from motion324.wire.message import Arrays, MessageFields
from motion324.wire.payloads import doubt_from_wire, view_from_wire, view_to_wire


def pins_to_wire(pins: Pins, arrays: Arrays) -> dict[str, Any]:
    nothing = np.zeros(0, np.int64)
    vertices = [nothing if pose.vertices is None else pose.vertices for pose in pins.poses]
    arrays["pins.points"] = np.array([[p.frame, p.vertex] for p in pins.points], np.int64).reshape(-1, 2)
    arrays["pins.at"] = np.array([p.at for p in pins.points], np.float64).reshape(-1, 2)
    arrays["pins.stills"] = np.array([[s.first, s.last, len(s.vertices)] for s in pins.stills], np.int64).reshape(-1, 3)
    arrays["pins.still_vertices"] = np.concatenate([nothing, *(s.vertices for s in pins.stills)])
    arrays["pins.poses"] = np.array(
        [[p.frame, len(p.positions), len(v)] for p, v in zip(pins.poses, vertices, strict=True)], np.int64
    ).reshape(-1, 3)
    arrays["pins.pose_vertices"] = np.concatenate([nothing, *vertices])
    arrays["pins.positions"] = np.concatenate([np.zeros((0, 3)), *(p.positions for p in pins.poses)])
    return {}


def pins_from_wire(fields: MessageFields) -> Pins:
    points, at = fields.array("pins.points", "int64", ("pins", 2)), fields.array("pins.at", "float64", ("pins", 2))
    stills, poses = (fields.array(f"pins.{name}", "int64", (None, 3)) for name in ("stills", "poses"))
    held = fields.array("pins.still_vertices", "int64", (None,))
    posed = fields.array("pins.pose_vertices", "int64", (None,))
    positions = fields.array("pins.positions", "float64", (None, 3))
    if len(points) + len(stills) + len(poses) > MAX_PINS:
        raise fields.wrong("pins", f"are more than {MAX_PINS}")
    if any(len(each) and each.min() < 0 for each in (points, stills, poses, held, posed)):
        raise fields.wrong("pins", "have numbers below 0")
    if not (np.isfinite(at).all() and np.isfinite(positions).all()) or (np.abs(at - 0.5) > REACH + 0.5).any():
        raise fields.wrong("pins", "have places that are no numbers, or far beyond the picture")
    counts = ((stills[:, 2], held), (poses[:, 1], positions), (poses[:, 2], posed))
    if any(int(count.sum()) != len(values) for count, values in counts):
        raise fields.wrong("pins", "name other numbers of vertices than they have")
    if not ((poses[:, 2] == 0) | (poses[:, 2] == poses[:, 1])).all() or (stills[:, 0] > stills[:, 1]).any():
        raise fields.wrong(
            "pins", "have other numbers of vertices than of positions, or frames that end before they begin"
        )
    own, places, named = (_split(count, values) for count, values in counts)
    return Pins(
        tuple(PointPin(int(f), int(v), (float(x), float(y))) for (f, v), (x, y) in zip(points, at, strict=True)),
        tuple(StillPin(int(f), int(t), v) for (f, t, _), v in zip(stills, own, strict=True)),
        tuple(
            PosePin(int(frame), where, which if count else None)
            for (frame, _, count), where, which in zip(poses, places, named, strict=True)
        ),
    )


def last_to_wire(last: AnimationResult, arrays: Arrays) -> dict[str, Any]:
    arrays["last.positions"] = np.asarray(last.positions, np.float32)
    arrays["last.frame_numbers"] = np.asarray(last.frame_numbers, np.int64)
    if last.camera_to_first is not None:
        arrays["last.camera_to_first"] = np.asarray(last.camera_to_first, np.float64)
    if last.doubt is not None:
        arrays["last.doubt"] = np.asarray(last.doubt, np.float16)
    return {"fps": float(last.fps), "view": view_to_wire(last.view, arrays), "report": last.report}


def last_from_wire(fields: MessageFields) -> AnimationResult:
    """Its vertices are as many as those of the message's mesh."""
    positions = fields.array("last.positions", "float32", ("earlier", "N", 3))
    numbers = fields.array("last.frame_numbers", "int64", ("earlier",))
    moving = None
    if fields.has_array("last.camera_to_first"):
        moving = fields.array("last.camera_to_first", "float64", ("earlier", 3, 3))
    doubt = doubt_from_wire(fields, "last.doubt", len(positions))
    if not len(positions) or not np.isfinite(positions).all() or (numbers < 0).any():
        raise fields.wrong("last", "holds no frames, or what are no numbers")
    view = view_from_wire(fields.within("view", fields.record("view")))
    return AnimationResult(positions, numbers, fields.number("fps"), view, fields.record("report"), moving, doubt)


def _split(counts: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    ends = np.concatenate([[0], np.cumsum(counts)]).tolist()
    return [values[first:end] for first, end in pairwise(ends)]
