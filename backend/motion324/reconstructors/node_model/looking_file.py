"""A node model that looks again at what it predicted, run by onnxruntime: no PyTorch is needed.

Its file is a zip archive of four graphs, since their weights are not to be stored twice: what frames and drawings look
like, the first answer, a look at drawings, and how points follow. Letters: T frames, K nodes, P points.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.onnx_file import (
    ACCELERATORS,
    CPU,
    NodeMotions,
    broken_file,
    failures,
    open_session,
    providers_of,
    read_bytes,
    waited,
)

SEE, FIRST, LOOK, POINTS, SIZES = "see.onnx", "first_answer.onnx", "look.onnx", "points.onnx", "sizes.json"


@dataclass(frozen=True)
class Seen:
    """What frames, or drawings, look like: match and fine maps (1, T, c, h, w), and patches (T, M, d)."""

    match_maps: np.ndarray
    fine_maps: np.ndarray
    patches: np.ndarray


@dataclass(frozen=True)
class LookedAt:
    """motions: of the nodes. tokens (1, T, K, d). doubt (T, K, 2): logarithms of the errors that are expected of the
    nodes' places across and along the view, normalised space; None of a first answer."""

    motions: NodeMotions
    tokens: np.ndarray
    doubt: np.ndarray | None = None


@dataclass(frozen=True)
class Geometry:
    """times (T,), camera (3,), translation (3,), nodes (K, 10), all float32: as NodeInputs has them, for one clip."""

    times: np.ndarray
    camera: np.ndarray
    translation: np.ndarray
    nodes: np.ndarray

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        named = {"times": self.times, "camera": self.camera, "translation": self.translation, "nodes": self.nodes}
        return {name: np.ascontiguousarray(values[None], np.float32) for name, values in named.items()}


def is_looking_file(path: Path) -> bool:
    return zipfile.is_zipfile(path)


class OnnxLookingModel:
    """`check` of each method is called ten times a second, and may raise to stop."""

    def __init__(self, path: Path, device: str, check: Callable[[], None]) -> None:
        """device: as in AnimateOptions. Raises Motion324Error("weights-missing", "weights-broken", "bad-option")."""
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motion324-node-model")
        providers = providers_of(device)
        packed = read_bytes(path)
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                parts = {name: archive.read(name) for name in (SEE, FIRST, LOOK, POINTS, SIZES)}
            self.config = NodeModelConfig.from_json(parts[SIZES].decode())
            self._see, self._first, self._look = (
                self._opened(parts[name], providers, check) for name in (SEE, FIRST, LOOK)
            )
            self._points = open_session(parts[POINTS], [CPU])
        except failures(KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
            raise broken_file(path) from error

    @property
    def place(self) -> str:
        """What it computes on: "cpu", "cuda", "directml" or "coreml"."""
        return ACCELERATORS.get(self._look.get_providers()[0], "cpu")

    def see(self, pictures: np.ndarray, check: Callable[[], None]) -> Seen:
        """pictures (T, 4, S, S): frames as square_frames has them, or drawings."""
        return Seen(*self._run(self._see, {"frames": pictures[None]}, check))

    def first_answer(self, seen: Seen, geometry: Geometry, check: Callable[[], None]) -> LookedAt:
        state, codes, tokens = self._run(self._first, {**_maps(seen), **geometry.feeds}, check)
        return LookedAt(NodeMotions(state, codes), tokens)

    def look_again(
        self,
        seen: Seen,
        drawn: Seen,
        behind: np.ndarray,
        geometry: Geometry,
        first: LookedAt,
        before: LookedAt,
        check: Callable[[], None],
    ) -> LookedAt:
        """before: what was drawn. behind (T, K): see MeshDrawings."""
        feeds = {
            **_maps(seen),
            **_maps(drawn, "drawn_"),
            **geometry.feeds,
            "behind": behind[None],
            "state": before.motions.state,
            "first_tokens": first.tokens,
            "tokens": before.tokens,
        }
        state, codes, tokens, doubt = self._run(self._look, feeds, check)
        return LookedAt(NodeMotions(state, codes), tokens, doubt[0])

    def moved_points(self, points: np.ndarray, nodes: np.ndarray, motions: NodeMotions) -> np.ndarray:
        """points (P, 9), nodes (K, 10) -> (T, P, 3) float32."""
        feeds = {"points": points[None], "nodes": nodes[None], "state": motions.state, "codes": motions.codes}
        moved: np.ndarray = self._points.run(None, feeds)[0][0]
        return moved

    def _opened(self, packed: bytes, providers: list[Any], check: Callable[[], None]) -> Any:
        return waited(self._thread, lambda: open_session(packed, providers), check)

    def _run(self, session: Any, feeds: dict[str, np.ndarray], check: Callable[[], None]) -> list[np.ndarray]:
        """Raises Motion324Error("model-failed"), and what check raises."""
        import onnxruntime

        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            found: list[np.ndarray] = waited(self._thread, lambda: session.run(None, feeds, options), check, stop)
        except failures() as error:
            raise Motion324Error(
                "model-failed",
                f"onnxruntime could not run the compact model '{self._path.name}' on '{self.place}'.",
                "Try it with --device cpu." if self.place != "cpu" else "Free some memory, or use fewer frames.",
                EXIT_BACKEND,
            ) from error
        return found


def _maps(seen: Seen, prefix: str = "") -> dict[str, np.ndarray]:
    return {
        f"{prefix}match_maps": seen.match_maps,
        f"{prefix}fine_maps": seen.fine_maps,
        f"{prefix}patches": seen.patches,
    }
