"""Is the reconstructor "node-model": the compact model of our own, without PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.jobs.job_plan import SEEN_AT_ONCE
from motion324.core.progress import Progress
from motion324.reconstructors.interface import FrameBatch, Scene
from motion324.reconstructors.node_model.agreement import agreed, disagreement, expected_error
from motion324.reconstructors.node_model.answers import Check, Geometry, ModelInUse, NodeMotions, Seen
from motion324.reconstructors.node_model.looking import draw_positions, drawable_mesh
from motion324.reconstructors.node_model.opening import open_beforehand, opened_model
from motion324.reconstructors.node_model.scene_inputs import (
    Look,
    SceneInputs,
    node_tracks,
    square_around,
    square_view,
)
from motion324.reconstructors.node_model.seen_frames import SeenFrames
from motion324.reconstructors.scene_frames import Merger, Window, plan_windows

BUNDLED = Path(__file__).parent / "models" / "node_model.onnx"
OVERLAP = 1 / 3  # part of a window of a longer video that it shares with the next one at the least
LONGEST_GAP = 24  # frames from the reference frame to a window's next one that the model knows from its training
# The mean of both answers is nearer to the truth than either; with two more it is no nearer, but where they disagree.
LOOKS = (Look(), Look(mirrored=True, turn=1))
MORE_LOOKS = (Look(turn=2), Look(mirrored=True, turn=3))
DISAGREEING = 0.3  # spread of both answers over their motion, from which on two more looks are worth their time
LOOKED_AT = 0.4  # of the time of a question: until its frames have been encoded
DRAWN_LOOKS = 2  # how often a model that looks again is shown its answer, as in its training
GLANCED_STEP, MOST_GLANCED = 4, 24  # frames from one that is glanced at to the next at the least; so many at the most
POINTS_AT_ONCE = 1 << 18  # points times frames that are moved together


class NodeModelReconstructor:
    """Made for one job. Every frame is yielded once, and is final."""

    name = "node-model"
    trembles = True

    def __init__(self, weights: str = "", device: str = "auto", hurries: bool = False) -> None:
        """weights: path of a file that motion324.training.export has made, "" the model that comes along. device: as in
        AnimateOptions. hurries: never take more than the LOOKS, and expect no second question.

        Raises Motion324Error("weights-missing").
        """
        self.weights = Path(weights).expanduser() if weights else BUNDLED
        if not self.weights.is_file():
            raise Motion324Error(
                "weights-missing",
                f"There is no file '{self.weights}' with weights for the compact model.",
                "Give the path of a file that `python -m motion324.training.export` has made, or none for our own.",
                EXIT_BACKEND,
            )
        self.device = device
        self.hurries = hurries
        self._model: ModelInUse | None = None
        self._seen: SeenFrames | None = None
        self._details: dict[str, Any] = {}

    def check_job(self, frames: int, vertices: int) -> None:
        """Windows and points go through in parts: whatever fits the machine's memory can be done."""

    def load_beforehand(self) -> None:
        open_beforehand(self.weights, self.device)

    def details(self) -> dict[str, Any]:
        return self._details

    def takes_tracks(self, progress: Progress) -> bool:
        """Raises what opened_model raises."""
        return self._opened(progress).config.takes_tracks

    def glance(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """One look at every fourth frame, of long videos at fewer; those between are interpolated. What was seen of
        them is not looked at again by `reconstruct`."""
        total = len(scene.frames)
        if total < 2 * GLANCED_STEP:
            return
        model = self._opened(progress)
        count = min(-(-(total - 1) // GLANCED_STEP), MOST_GLANCED)
        chosen = np.unique(np.linspace(0, total - 1, count + 1).round().astype(int))

        def check() -> None:
            progress("reconstruct", 0, total)

        check()
        known = self._seen_of(model, scene)
        inputs = known.inputs.of(LOOKS[0])
        seen = known.of(chosen, LOOKS[0].mirrored, check)
        times = np.arange(len(chosen), dtype=np.float32) * min((total - 1) / count, GLANCED_STEP)
        geometry = Geometry(times, inputs.camera, inputs.translation, inputs.nodes)
        found = model.first_answer(seen, geometry, check).motions
        positions = _moved_points(model, inputs, found, len(chosen), check)
        for k, (start, stop) in enumerate(itertools.pairwise(chosen.tolist())):
            check()
            for t in range(start, stop + (stop == total - 1)):
                share = np.float32((t - start) / (stop - start))
                between = (1 - share) * positions[k] + share * positions[k + 1]
                yield FrameBatch(np.array([t]), between[None], final=False)

    def look_once(self, scene: Scene, progress: Progress) -> np.ndarray:
        """Roughly where the vertices are in all frames of a short scene, (T, N, 3) float32 in normalised space: by one
        look at them, which takes a fourth of the time of a first answer."""
        model = self._opened(progress)
        frames = np.arange(len(scene.frames))

        def check() -> None:
            progress("reconstruct", 0, len(frames))

        check()
        known = self._seen_of(model, scene)
        inputs = known.inputs.of(LOOKS[0])
        seen = known.of(frames, LOOKS[0].mirrored, check)
        geometry = Geometry(known_times(frames), inputs.camera, inputs.translation, inputs.nodes)
        return _moved_points(model, inputs, model.first_answer(seen, geometry, check).motions, len(frames), check)

    def reconstruct(self, scene: Scene, progress: Progress, believed: np.ndarray | None = None) -> Iterator[FrameBatch]:
        """believed (T, N, 3): where the vertices are believed to be, as by a first answer, normalised space. A model
        that takes tracks is told where this lies across the view.

        Raises Motion324Error: what opened_model and the model raise, and "no-foreground" where the masks are empty."""
        total = len(scene.frames)
        model = self._opened(progress)
        config = model.config
        progress("reconstruct", 0, total)
        known = self._seen_of(model, scene)
        square = known.square
        looks = [(look, known.inputs.of(look)) for look in LOOKS]
        tracks: list[np.ndarray | None] = [None] * len(looks)
        if believed is not None and config.takes_tracks:
            given = [inputs for _, inputs in looks]
            tracks = [*node_tracks(scene, square, given, believed, config, lambda: progress("reconstruct", 0, total))]
        view = square_view(scene.view, square, *scene.frames.shape[1:3])
        pixel = float(view.translation[2]) / (view.focal * config.image_size)  # at the mesh, normalised space
        drawn = replace(scene, mesh=drawable_mesh(scene.mesh), view=view)
        length = max(config.frames, 2) if total > SEEN_AT_ONCE else total
        windows = plan_windows(total, length, "blend", OVERLAP)
        self._details = {"device": model.place, "weights": self.weights.name, "windows": len(windows)}
        merger, unsure = Merger(windows), Merger(windows)
        asked = [(window, part) for window in windows for part in range(len(looks))]

        def telling(answered: float) -> Check:
            return lambda: progress("reconstruct", int(total * answered / len(asked)), total)

        def ask(group: list[tuple[Window, int]], answered: float) -> list[np.ndarray]:
            """Where each look at its window moves the vertices. answered: how many questions were before."""
            questions = []
            for place, (window, part) in enumerate(group):
                check = telling(answered + LOOKED_AT * place)
                check()
                look, inputs = looks[part]
                told, times = tracks[part], known_times(window.frames)
                geometry = Geometry(times, inputs.camera, inputs.translation, inputs.nodes)
                if told is not None:
                    geometry = replace(geometry, tracks=told[window.frames])
                questions.append((known.of(window.frames, look.mirrored, check), geometry))
            check = telling(answered + LOOKED_AT * len(group))
            check()
            if config.looks_again:
                answers = [
                    _looked_again(model, drawn, looks[part][1], looks[part][0].mirrored, *question, check)
                    for (_, part), question in zip(group, questions, strict=True)
                ]
            else:
                answers = [answer.motions for answer in model.first_answers(questions, check)]
            return [
                _moved_points(model, looks[part][1], found, len(window.frames), check)
                for (window, part), found in zip(group, answers, strict=True)
            ]

        moved: list[np.ndarray] = []  # by each look at a window
        for start in range(0, len(asked), model.questions_at_once):
            group = asked[start : start + model.questions_at_once]
            for (window, part), found in zip(group, ask(group, start), strict=True):
                moved.append(found)
                if part < len(LOOKS) - 1:
                    continue
                may_look_more = believed is None and not self.hurries and len(windows) == 1
                if may_look_more and disagreement(moved, scene.mesh.positions) > DISAGREEING:
                    looks += [(look, known.inputs.of(look)) for look in MORE_LOOKS]
                    tracks += [None] * len(MORE_LOOKS)
                    moved += ask([(window, part + 1 + k) for k in range(len(MORE_LOOKS))], len(asked) - 1)
                merged = merger.add(
                    window.frames, window.weights, agreed(moved, scene.mesh.positions, view.rotation[2], pixel)
                )
                errors = unsure.add(window.frames, window.weights, expected_error(moved))
                for (frame, positions), (_, error) in zip(merged, errors, strict=True):
                    told = error[None].astype(np.float32)
                    yield FrameBatch(np.array([frame]), positions[None].astype(np.float32), True, told)
                moved.clear()
        if believed is not None or self.hurries:
            self._seen = None  # nobody asks again, and what was seen of the frames takes up to 140 MB
        progress("reconstruct", total, total)

    def _seen_of(self, model: ModelInUse, scene: Scene) -> SeenFrames:
        """The first time, nothing has been seen of the scene."""
        if self._seen is None or not self._seen.belongs_to(model, scene):
            self._seen = SeenFrames(model, scene, square_around(scene.masks))
        return self._seen

    def _opened(self, progress: Progress) -> ModelInUse:
        if self._model is None:
            progress("load", 0, 1)
            self._model = opened_model(self.weights, self.device, lambda: progress("load", 0, 1))
        return self._model


def known_times(frames: np.ndarray) -> np.ndarray:
    """frames (W,) int: the reference frame 0, then consecutive ones -> (W,) float32: as the model is told them.

    A window far from the reference frame is told to be as far as those of the training were at the most.
    """
    gap = frames[1:] - frames[1]
    return np.concatenate([[0], min(int(frames[1]), LONGEST_GAP) + gap]).astype(np.float32)


def _looked_again(
    model: ModelInUse,
    drawn: Scene,
    inputs: SceneInputs,
    mirrored: bool,
    seen: Seen,
    geometry: Geometry,
    check: Check,
) -> NodeMotions:
    """drawn: with the mesh to be drawn, by the view of the square that is cut out."""
    first = answer = model.first_answer(seen, geometry, check)
    for _ in range(DRAWN_LOOKS):
        positions = _moved_points(model, inputs, answer.motions, len(geometry.times), check)
        nodes = inputs.to_normalised(inputs.nodes[:, :3] + model.displacements(answer.motions))
        side = model.config.image_size
        drawings = draw_positions(drawn.mesh, drawn.view, positions, nodes, side, mirrored, check)
        shown = model.see(drawings.pictures, check)
        answer = model.look_again(seen, shown, drawings.behind, geometry, first, answer, check)
    return answer.motions


def _moved_points(model: ModelInUse, inputs: SceneInputs, found: NodeMotions, frames: int, check: Check) -> np.ndarray:
    """(T, N, 3) float32, normalised space."""
    count = len(inputs.points)
    step = max(POINTS_AT_ONCE // frames, 1)
    positions = np.empty((frames, count, 3), np.float32)
    for start in range(0, count, step):
        check()
        part = slice(start, start + step)
        positions[:, part] = inputs.to_normalised(model.moved_points(inputs.points[part], inputs.nodes, found))
    return positions
