"""Holds what a person corrects in a result: pins, which the fit then has to meet, and the JSON file that has them.

    {"points": [{"frame": 12, "vertex": 345, "at": [0.412, 0.633]}],
     "still":  [{"frames": [10, 24], "vertices": [7, 8, 9]}],
     "poses":  [{"frame": 18, "vertices": [7, 8], "positions": [[0.1, 0.2, 0.3], [0.1, 0.2, 0.4]]}]}

Frames are numbers of the video's frames, from 0, as trajectory.npz has them; vertices are numbered from 0 as in the
mesh. "at" is a place in the picture as it was filmed, in parts of its width and height from the top left corner.
"still" keeps vertices where they are on average over these frames, the last one included. "positions" are in the mesh's
own coordinates; without "vertices" they are those of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.reference_mesh import ReferenceMesh

MAX_PINS = 10_000
REACH = 2.0  # pictures beyond the frame in which a pin may lie
_KEYS = ("points", "still", "poses")


@dataclass(frozen=True)
class PointPin:
    """A vertex that has to appear at a place of the picture. frame: the video's. at: x, y in parts of the picture."""

    frame: int
    vertex: int
    at: tuple[float, float]


@dataclass(frozen=True)
class StillPin:
    """Vertices (V,) int64 that stay where they are from the video's frame `first` to `last`."""

    first: int
    last: int
    vertices: np.ndarray


@dataclass(frozen=True)
class PosePin:
    """Where vertices (V,) int64 are in a frame of the video: positions (V, 3) float64, the mesh's own coordinates.

    vertices: None for all of the mesh, in its order.
    """

    frame: int
    positions: np.ndarray
    vertices: np.ndarray | None = None


@dataclass(frozen=True)
class Pins:
    """All that a person has corrected of one result."""

    points: tuple[PointPin, ...] = ()
    stills: tuple[StillPin, ...] = ()
    poses: tuple[PosePin, ...] = ()

    def __len__(self) -> int:
        return len(self.points) + len(self.stills) + len(self.poses)

    def check(self, mesh: ReferenceMesh, frame_numbers: np.ndarray) -> None:
        """Raises Motion324Error("bad-pins") where one is about a frame or a vertex that the result does not have."""
        count = len(mesh.positions)
        if not len(self):
            raise _bad("hold none", "Add a point, a still group or a pose.")
        for name, (first, last), vertices in self._named():
            if not ((frame_numbers >= first) & (frame_numbers <= last)).any():
                told = f"frame {first}" if first == last else f"frames {first} to {last}"
                raise _bad(
                    f"name {told} in {name}, which the result does not have",
                    f"Its frames lie between {int(frame_numbers.min())} and {int(frame_numbers.max())} of the video.",
                )
            if len(vertices) and not (vertices.min() >= 0 and vertices.max() < count):
                raise _bad(
                    f"name vertex {int(vertices.max())} in {name}, but '{mesh.name}' has {count}",
                    "Make the pins for this very mesh.",
                )
        for index, pose in enumerate(self.poses):
            if pose.vertices is None and len(pose.positions) != count:
                raise _bad(
                    f"have {len(pose.positions)} positions in poses[{index}], but '{mesh.name}' has {count} vertices",
                    "Name the vertices, or give the positions of all of them.",
                )

    def _named(self) -> Iterator[tuple[str, tuple[int, int], np.ndarray]]:
        """What each is called, its first and last frame, and its vertices."""
        nothing = np.zeros(0, np.int64)
        for index, point in enumerate(self.points):
            yield f"points[{index}]", (point.frame, point.frame), np.array([point.vertex])
        for index, still in enumerate(self.stills):
            yield f"still[{index}]", (still.first, still.last), still.vertices
        for index, pose in enumerate(self.poses):
            yield f"poses[{index}]", (pose.frame, pose.frame), nothing if pose.vertices is None else pose.vertices

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as the file has them."""
        return {
            "points": [{"frame": p.frame, "vertex": p.vertex, "at": list(p.at)} for p in self.points],
            "still": [{"frames": [p.first, p.last], "vertices": p.vertices.tolist()} for p in self.stills],
            "poses": [
                {
                    "frame": p.frame,
                    "positions": p.positions.tolist(),
                    **({} if p.vertices is None else {"vertices": p.vertices.tolist()}),
                }
                for p in self.poses
            ],
        }


def read_pins(path: Path) -> Pins:
    """Raises Motion324Error("bad-pins") where the file is missing, or is no such JSON."""
    try:
        values = read_json(path.read_text("utf-8-sig"))
    except OSError as error:
        raise _bad(f"cannot be read from '{path}' ({error.strerror or error})", "Check the path.") from error
    except ValueError as error:
        raise _bad(f"in '{path}' are no JSON ({error})", "Write it as the README shows.") from error
    return pins_of(values)


def pins_of(values: object) -> Pins:
    """From plain JSON values. Raises Motion324Error("bad-pins") that names the entry that cannot be used."""
    if not isinstance(values, Mapping) or not set(values) <= set(_KEYS):
        raise _bad("are no JSON object of points, still and poses", "Write it as the README shows.")
    points = tuple(_point(*entry) for entry in _entries(values, "points"))
    stills = tuple(_still(*entry) for entry in _entries(values, "still"))
    poses = tuple(_pose(*entry) for entry in _entries(values, "poses"))
    pins = Pins(points, stills, poses)
    if len(pins) > MAX_PINS:
        raise _bad(f"are {len(pins)}, but {MAX_PINS} is the most", "Leave some out.")
    return pins


def _entries(values: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = values.get(key, [])
    if not isinstance(found, list):
        raise _bad(f"have no list at {key}", "Write it as the README shows.")
    for index, entry in enumerate(found):
        name = f"{key}[{index}]"
        if not isinstance(entry, Mapping):
            raise _bad(f"have no JSON object at {name}", "Write it as the README shows.")
        yield name, entry


def _point(name: str, entry: Mapping[str, Any]) -> PointPin:
    _known(name, entry, "frame", "vertex", "at")
    at = _numbers(name, entry, "at", (2,))
    if (np.abs(at - 0.5) > REACH + 0.5).any():
        raise _bad(f"have {at.tolist()} as at in {name}", "Give parts of the picture, as 0.5, 0.5 is its middle.")
    return PointPin(_whole(name, entry, "frame"), _whole(name, entry, "vertex"), (float(at[0]), float(at[1])))


def _still(name: str, entry: Mapping[str, Any]) -> StillPin:
    _known(name, entry, "frames", "vertices")
    first, last = _wholes(name, entry, "frames", 2)
    if last < first:
        raise _bad(f"have frames from {first} to {last} in {name}", "Give the first one first.")
    return StillPin(int(first), int(last), _vertices(name, entry))


def _pose(name: str, entry: Mapping[str, Any]) -> PosePin:
    _known(name, entry, "frame", "positions", "vertices")
    positions = _numbers(name, entry, "positions", (None, 3))
    vertices = _vertices(name, entry) if "vertices" in entry else None
    if vertices is not None and len(vertices) != len(positions):
        raise _bad(f"have {len(vertices)} vertices but {len(positions)} positions in {name}", "Give as many of both.")
    return PosePin(_whole(name, entry, "frame"), positions, vertices)


def _known(name: str, entry: Mapping[str, Any], *keys: str) -> None:
    for key in entry:
        if key not in keys:
            raise _bad(f"have the unknown key {str(key)[:40]!r} in {name}", f"Known are {', '.join(keys)}.")


def _whole(name: str, entry: Mapping[str, Any], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise _bad(f"need a whole number from 0 as {key} in {name}", "Write it as the README shows.")
    return value


def _wholes(name: str, entry: Mapping[str, Any], key: str, count: int | None = None) -> np.ndarray:
    found = entry.get(key)
    is_right = isinstance(found, list) and found and (count is None or len(found) == count)
    if not is_right or not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**53 for v in found or ()):
        told = "whole numbers" if count is None else f"{count} whole numbers"
        raise _bad(f"need {told} from 0 as {key} in {name}", "Write it as the README shows.")
    return np.array(found, np.int64)


def _vertices(name: str, entry: Mapping[str, Any]) -> np.ndarray:
    vertices = _wholes(name, entry, "vertices")
    if len(np.unique(vertices)) != len(vertices):
        raise _bad(f"name a vertex twice in {name}", "Name each once.")
    return vertices


def _numbers(name: str, entry: Mapping[str, Any], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    try:
        array = np.array(entry.get(key), np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or not array.size or not np.isfinite(array).all():
        told = " x ".join("N" if want is None else str(want) for want in shape)
        raise _bad(f"need {told} finite numbers as {key} in {name}", "Write it as the README shows.")
    return array


def _bad(what: str, hint: str) -> Motion324Error:
    return Motion324Error("bad-pins", f"The pins {what}.", hint, EXIT_USAGE)
