"""Runs the compact model by PyTorch, which takes a GPU where onnxruntime has none. Letters: see answers.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.processes.machine import is_out_of_memory
from motion324.reconstructors.node_model.answers import Check, Geometry, LookedAt, NodeMotions, Seen
from motion324.reconstructors.node_model.inputs_and_answers import Answer, NodeInputs, SeenFrames
from motion324.reconstructors.node_model.inputs_and_answers import NodeMotions as TorchMotions
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.model_file import ModelFile, broken_file

SEEN_TOGETHER = 64  # frames that are encoded at once

Result = TypeVar("Result")


def model_of(file: ModelFile) -> NodeModel:
    """In float32 on the CPU. Raises RuntimeError where the file lacks weights."""
    model = NodeModel(file.config)
    model.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in file.weights.items()})
    return model


class TorchNodeModel:
    """Maps and motions stay on the device. All is computed in float32: half precision was no faster
    on an H200. There PyTorch rounds what convolutions multiply to TF32, unless told otherwise: nodes lay
    2.4e-4 of the longest side beside the CPU's at most, and 1.1e-6 without it."""

    questions_at_once = 8  # launching is what takes the time: one takes 10 ms on an H200, eight 29

    def __init__(self, path: Path, file: ModelFile, device: torch.device) -> None:
        """path: for messages. Raises Motion324Error("weights-broken")."""
        self._path, self.config, self._device = path, file.config, device
        try:
            self._model = model_of(file).eval().to(device)
        except RuntimeError as error:
            raise broken_file(path) from error

    @property
    def place(self) -> str:
        return f"{self._device.type}, PyTorch"

    def see(self, pictures: np.ndarray, check: Check) -> Seen:
        parts = []
        for start in range(0, len(pictures), SEEN_TOGETHER):
            check()
            some = self._there(pictures[start : start + SEEN_TOGETHER])
            parts.append(self._run(lambda some=some: self._model.see(some)))  # type: ignore[misc]
        return self.joined([Seen(part.match_maps, part.fine_maps, part.patches) for part in parts])

    def joined(self, parts: Sequence[Seen]) -> Seen:
        return Seen(
            torch.cat([part.match_maps for part in parts], dim=1),
            torch.cat([part.fine_maps for part in parts], dim=1),
            torch.cat([part.patches for part in parts]),
        )

    def first_answer(self, seen: Seen, geometry: Geometry, check: Check) -> LookedAt:
        return self.first_answers([(seen, geometry)], check)[0]

    def first_answers(self, questions: Sequence[tuple[Seen, Geometry]], check: Check) -> list[LookedAt]:
        check()
        each = [self._inputs(geometry) for _, geometry in questions]
        inputs = NodeInputs(*(_stacked([getattr(one, field.name) for one in each]) for field in fields(NodeInputs)))
        frames = _frames(
            Seen(
                torch.cat([seen.match_maps for seen, _ in questions]),
                torch.cat([seen.fine_maps for seen, _ in questions]),
                torch.cat([seen.patches for seen, _ in questions]),
            )
        )
        found = self._run(lambda: self._model.first_answer(self._model.ask(inputs, frames)))
        state, codes = found.rounds[-1].state, found.rounds[-1].codes
        return [
            LookedAt(NodeMotions(state[k : k + 1], codes[k : k + 1]), found.tokens[k : k + 1])
            for k in range(len(questions))
        ]

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
        check()
        inputs = self._inputs(geometry)
        start = Answer([], first.tokens)
        last = Answer([TorchMotions(before.motions.state, before.motions.codes)], before.tokens)

        def look() -> tuple[Answer, Tensor]:
            question = self._model.ask(inputs, _frames(seen))
            answer, _ = self._model.look_again(question, start, last, _frames(drawn), self._there(behind))
            return answer, self._model.drawn_look.doubt(answer.tokens)

        found, doubt = self._run(look)
        return LookedAt(_last(found), found.tokens, doubt[0].cpu().numpy())

    def displacements(self, motions: NodeMotions) -> np.ndarray:
        moved: np.ndarray = motions.state[0, ..., :3].cpu().numpy()
        return moved

    def moved_points(self, points: np.ndarray, nodes: np.ndarray, motions: NodeMotions) -> np.ndarray:
        there, home = self._there(points), self._there(nodes)
        found = TorchMotions(motions.state, motions.codes)

        def move() -> Tensor:
            codes = self._model.point_codes(there)
            return self._model.moved_points(there[..., :3], codes, home[..., :3], found)

        moved: np.ndarray = self._run(move)[0].cpu().numpy()
        return moved

    def _inputs(self, geometry: Geometry) -> NodeInputs:
        feeds = {name: torch.from_numpy(value).to(self._device) for name, value in geometry.feeds.items()}
        inputs = NodeInputs(frames=feeds["nodes"][:, :0], points=feeds["nodes"][..., :9], **feeds)
        if self.config.takes_tracks and geometry.tracks is not None:
            inputs = replace(inputs, tracks=self._there(geometry.tracks))
        return inputs

    def _there(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[None], np.float32)).to(self._device)

    def _run(self, work: Callable[[], Result]) -> Result:
        """Raises Motion324Error("model-failed"), MemoryError."""
        try:
            with torch.inference_mode():
                return work()
        except RuntimeError as error:  # PyTorch's memory errors, too
            if self._device.type == "cpu" and is_out_of_memory(error):
                raise MemoryError from error
            raise Motion324Error(
                "model-failed",
                f"PyTorch could not run the compact model '{self._path.name}' on '{self._device}': {error}",
                "Try it with --device cpu." if self._device.type != "cpu" else "Use fewer frames.",
                EXIT_BACKEND,
            ) from error


def _frames(seen: Seen) -> SeenFrames:
    return SeenFrames(seen.match_maps, seen.fine_maps, seen.patches)


def _stacked(values: list[Tensor | None]) -> Tensor | None:
    there = [value for value in values if value is not None]
    return torch.cat(there) if there else None


def _last(answer: Answer) -> NodeMotions:
    return NodeMotions(answer.rounds[-1].state, answer.rounds[-1].codes)
