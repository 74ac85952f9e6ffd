"""Has every frame of a scene seen by the model once, however many looks, windows and questions there are, and its
geometry looked at once.

What is seen of a frame takes 1.5 MB: of a long video, what the first frames look like is kept, and of the others what
the next window shares with this one.
"""

from __future__ import annotations

import numpy as np

from motion324.reconstructors.interface import Scene
from motion324.reconstructors.node_model.answers import Check, ModelInUse, Seen
from motion324.reconstructors.node_model.scene_inputs import LooksInputs, Square, square_frames

MOST_KEPT = 96  # frames, mirrored ones by themselves: 140 MB


class SeenFrames:
    def __init__(self, model: ModelInUse, scene: Scene, square: Square) -> None:
        """square: what is cut out of every frame."""
        self._model, self._scene, self.square = model, scene, square
        self.inputs = LooksInputs(scene, square, model.config)
        self._kept: dict[tuple[int, bool], Seen] = {}
        self._passing: dict[bool, dict[int, Seen]] = {False: {}, True: {}}

    def belongs_to(self, model: ModelInUse, scene: Scene) -> bool:
        return self._model is model and self._scene is scene

    def of(self, frames: np.ndarray, mirrored: bool, check: Check) -> Seen:
        """frames (W,) int: of the scene. mirrored: left and right are swapped."""
        passing, wanted = self._passing[mirrored], frames.tolist()
        new = [t for t in wanted if (t, mirrored) not in self._kept and t not in passing]
        found = dict(passing)
        if new:
            scene, size = self._scene, self._model.config.image_size
            pictures = square_frames(scene.frames[new], scene.masks[new], self.square, size, mirrored)
            found.update(zip(new, self._model.see(pictures, check).parted(), strict=True))
        parts = [found[t] if t in found else self._kept[t, mirrored] for t in wanted]
        for t in new:
            if len(self._kept) < MOST_KEPT:
                self._kept[t, mirrored] = found.pop(t)
        self._passing[mirrored] = {t: seen for t, seen in found.items() if t in set(wanted)}
        return self._model.joined(parts)
