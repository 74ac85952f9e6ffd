"""Holds what the compact model is asked and answers where it is used, as plain arrays, and what a model in use can do.

Letters: T frames, K nodes, P points, S the model's image size. Maps and motions are numpy's arrays, or PyTorch's
tensors on a GPU: whoever asks hands them on, and looks only at displacements, moved points and doubts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from motion324.reconstructors.node_model.config import NodeModelConfig

Check = Callable[[], None]  # called ten times a second or more, and may raise to stop


@dataclass(frozen=True)
class Seen:
    """What frames, or drawings, look like: match and fine maps (1, T, c, h, w), and patches (T, M, d)."""

    match_maps: Any
    fine_maps: Any
    patches: Any

    def parted(self) -> list[Seen]:
        """By frames."""
        return [
            Seen(self.match_maps[:, t : t + 1], self.fine_maps[:, t : t + 1], self.patches[t : t + 1])
            for t in range(len(self.patches))
        ]


@dataclass(frozen=True)
class NodeMotions:
    """state (1, T, K, 9) float32: displacements and rotations of the nodes. codes (1, K, c): which points follow."""

    state: Any
    codes: Any


@dataclass(frozen=True)
class LookedAt:
    """motions: of the nodes. tokens (1, T, K, d). doubt (T, K, 2): logarithms of the errors that are expected of the
    nodes' places across and along the view, normalised space; None of a first answer."""

    motions: NodeMotions
    tokens: Any
    doubt: np.ndarray | None = None


@dataclass(frozen=True)
class Geometry:
    """times (T,), camera (3,), translation (3,), nodes (K, 10), tracks (T, K, 5), all float32: as NodeInputs has them,
    for one clip. tracks: only where the model takes them, and there None where nothing is told."""

    times: np.ndarray
    camera: np.ndarray
    translation: np.ndarray
    nodes: np.ndarray
    tracks: np.ndarray | None = None

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        """All but the tracks, with NodeInputs' first axis."""
        named = {"times": self.times, "camera": self.camera, "translation": self.translation, "nodes": self.nodes}
        return {name: np.ascontiguousarray(values[None], np.float32) for name, values in named.items()}


class ModelInUse(Protocol):
    """Raises Motion324Error("model-failed"), MemoryError, and what `check` raises."""

    config: NodeModelConfig
    questions_at_once: int  # more gain nothing

    @property
    def place(self) -> str:
        """What it computes on, and by what, for people: "cpu", "cuda", "cuda, PyTorch"..."""

    def see(self, pictures: np.ndarray, check: Check) -> Seen:
        """pictures (T, 4, S, S): frames as square_frames has them, or drawings."""

    def joined(self, parts: Sequence[Seen]) -> Seen: ...

    def first_answer(self, seen: Seen, geometry: Geometry, check: Check) -> LookedAt: ...

    def first_answers(self, questions: Sequence[tuple[Seen, Geometry]], check: Check) -> list[LookedAt]:
        """To several questions about equally many frames, all of them told tracks or none."""

    def look_again(
        self,
        seen: Seen,
        drawn: Seen,
        behind: np.ndarray,
        geometry: Geometry,
        first: LookedAt,
        before: LookedAt,
        check: Check,
    ) -> LookedAt:
        """before: what was drawn. behind (T, K): see MeshDrawings. Only of a model that looks again."""

    def displacements(self, motions: NodeMotions) -> np.ndarray:
        """(T, K, 3) float32: of the nodes."""

    def moved_points(self, points: np.ndarray, nodes: np.ndarray, motions: NodeMotions) -> np.ndarray:
        """points (P, 9), nodes (K, 10) -> (T, P, 3) float32."""
