"""Predicts points' positions in every frame from a surface, these points and the frames of a video."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion324.core.errors import Cancelled
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.surface import SurfaceSamples, vertex_attributes
from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.attention_backends import longest_attention
from motion324.reconstructors.motion_transformer.checkpoint import load_model, look_into
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.device import (
    Workload,
    check_points,
    check_video,
    choose_device,
    choose_precision,
    free_bytes,
    out_of_memory,
)
from motion324.reconstructors.motion_transformer.execution import Execution, Pace, StageTimes
from motion324.reconstructors.motion_transformer.long_stages import FrameEncoder, PointDecoder, to_host
from motion324.reconstructors.motion_transformer.model import MotionModel, Points
from motion324.reconstructors.motion_transformer.options import InferenceOptions
from motion324.reconstructors.scene_frames import Merger, Window, plan_windows


def surface_points(surface: SurfaceSamples) -> ShapePoints:
    """The samples of the surface, with the normals of their faces."""
    return ShapePoints(surface.points, surface.normals, surface.colours)


def vertex_points(mesh: ReferenceMesh, surface: SurfaceSamples) -> ShapePoints:
    """The mesh's vertices, with their normals, and the colours of the samples that are nearest to them."""
    normals, colours = vertex_attributes(mesh, surface)
    return ShapePoints(mesh.positions.astype(np.float32), normals, colours)


log = logging.getLogger(__name__)

REPORT_SECONDS = 0.1


@dataclass(frozen=True)
class ShapePoints:
    """positions (N, 3): normalised space, Y up, longest side 1. normals (N, 3): unit. colours (N, 3): in [0, 1].

    All float32.
    """

    positions: np.ndarray
    normals: np.ndarray
    colours: np.ndarray

    def check(self, what: str) -> None:
        check_points(what, self.positions, self.normals, self.colours)

    def on(self, device: torch.device) -> Points:
        arrays = (self.positions, self.normals, self.colours)
        return Points(*(torch.tensor(np.asarray(array, dtype=np.float32), device=device) for array in arrays))


class MotionPredictor:
    """A loaded model, ready for any number of jobs, one at a time.

    seconds: per stage of the last job, and of loading and warming up.
    """

    def __init__(self, model: MotionModel, options: InferenceOptions | None = None) -> None:
        """Takes the model over: its weights are moved, cast and folded.

        Raises Motion324Error("bad-option"), ("device-unavailable"), ("gpu-too-old"), ("attention-unavailable").
        """
        self.options = options or InferenceOptions()
        self.options.check()
        self.seconds: dict[str, float] = {}
        self._placed = False
        self.config: ModelConfig = model.config
        self.device = choose_device(self.options.device)
        self.precision = choose_precision(self.options.precision, self.device)
        self.attention = Attention(self.options.attention)
        longest = longest_attention(self.config, self.options.window, self.device, self.precision.blocks)
        self.attention.kernel_for(longest)
        model.prepare_for_inference(self.precision.blocks)
        self.model = model
        self._to_device()
        # DINOv2 stays in float32, which the kernel that was asked for may not know.
        self._image_attention = Attention("auto")
        self._times = StageTimes(self.device)

    @classmethod
    def load(
        cls,
        path: Path | str,
        options: InferenceOptions | None = None,
        on_warm_up: Callable[[], None] = lambda: None,
    ) -> MotionPredictor:
        """Reads a converted .safetensors file, or a published .pt, straight to the device, and warms up.

        on_warm_up: called when all is read, before the warm-up.
        Raises Motion324Error as __init__ and `load_model` do, and ("out-of-memory").
        """
        options = options or InferenceOptions()
        options.check()
        start = time.perf_counter()
        device = choose_device(options.device)
        precision = choose_precision(options.precision, device)
        try:
            predictor = cls(load_model(Path(path), device, precision.blocks), options)
            predictor.seconds["load"] = time.perf_counter() - start
            on_warm_up()
            predictor.warm_up()
        except torch.OutOfMemoryError as error:
            _, needed = look_into(Path(path), precision.blocks)
            free = free_bytes(device)
            raise out_of_memory(str(device), needed, free, "while the weights were loaded") from error
        return predictor

    def warm_up(self) -> None:
        """Loads the libraries' kernels and compiles ours, on a job of a few frames; `seconds` says how long it took."""
        if self.device.type != "cuda":
            return
        start = time.perf_counter()
        fused.triton_works()
        line = np.linspace(-0.5, 0.5, 3 * 256, dtype=np.float32).reshape(-1, 3)
        points = ShapePoints(line, np.tile(np.array([0, 0, 1], np.float32), (256, 1)), line + 0.5)
        self.predict(points, points, np.zeros((2, 32, 32, 3), np.uint8))
        self.seconds = {name: self.seconds[name] for name in ("load",) if name in self.seconds}
        self.seconds["warm-up"] = time.perf_counter() - start

    def to_cpu(self) -> None:
        """Leaves the GPU's memory to others; the next job brings the model back."""
        self.model.to("cpu")
        self._placed = False
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @property
    def place(self) -> str:
        """The device on which the weights lie now."""
        return str(self.device) if self._placed else "cpu"

    def _to_device(self) -> None:
        if not self._placed:
            self.model.to(self.device)
            self._placed = True

    def weight_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def predict(
        self, surface: ShapePoints, points: ShapePoints, frames: np.ndarray, progress: Progress = silent
    ) -> np.ndarray:
        """surface: 16,384 samples of the shape as frame 0 shows it, by area. points: the N points to move.
        frames (T, H, W, 3): the video, uint8, or float in [0, 1], black where the object is not.

        Returns positions (T, N, 3) float32, normalised space. Raises as `stream` does.
        """
        positions = np.empty((len(frames), len(points.positions), 3), np.float32)
        for indices, moved in self.stream(surface, points, frames, progress):
            positions[indices] = moved
        return positions

    def stream(
        self, surface: ShapePoints, points: ShapePoints, frames: np.ndarray, progress: Progress = silent
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `predict`, but yields (indices (B,) of frames, positions (B, N, 3)) as soon as they are known.

        Raises Motion324Error("points-...", "frames-...") for input that cannot be used, before any work;
        ("out-of-memory") where not even the smallest batches fit; and what `progress` raises.
        """
        surface.check("the surface's samples")
        points.check("the mesh")
        check_video(frames)
        windows = plan_windows(len(frames), self.options.window, self.options.windows)
        needed = self._needed_bytes(len(windows[0].frames))
        self.seconds = {name: self.seconds[name] for name in ("load", "warm-up") if name in self.seconds}
        try:
            self._to_device()
            free = free_bytes(self.device)
            if free is not None and needed > free:
                raise out_of_memory(str(self.device), needed, free, "before any work")
            self._times = StageTimes(self.device)
            yield from self._run(surface, points, frames, windows, self._pace(surface, points, windows, progress))
            self.seconds |= self._times.seconds()
            progress("reconstruct", len(frames), len(frames))
        except (Cancelled, torch.OutOfMemoryError) as error:
            # The interrupted work's tensors live on in the functions of the frames that the traceback holds.
            error.__traceback__ = None
            if isinstance(error, Cancelled):
                raise
            free = free_bytes(self.device)
            raise out_of_memory(str(self.device), needed, free, f"in '{self._times.current}'") from error
        finally:
            if self.device.type == "cuda" and not self.options.keep_memory:
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _run(
        self, surface: ShapePoints, points: ShapePoints, video: np.ndarray, windows: list[Window], pace: Pace
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        model, times = self.model, self._times
        run = Execution(self.attention, pace)
        images = Execution(self._image_attention, pace, tf32=self.precision.tf32)
        merger = Merger(windows)
        free = free_bytes(self.device)
        spare = None if free is None else max(0, free - self._needed_bytes(len(windows[0].frames)))
        with contextlib.closing(FrameEncoder(model, video, images, self.device, spare)) as encoder:
            encoder.prefetch(windows[0].frames)
            with times.stage("surface"):
                latent = model.encode_surface(model.embed_points(surface.on(self.device), run), run)
            with times.stage("points"):
                decoder = PointDecoder(model, points.on(self.device), run, spare)
            for number, window in enumerate(windows):
                patches = self._encode(encoder, windows, number)
                with times.stage("transformer"):
                    tokens = model.assemble_tokens(latent, patches, self.options.trained_frames)
                    del patches
                    motion = model.transform(tokens, run)
                    del tokens
                    keys, values = model.decoder_cross_attn.keys_and_values(motion, run)
                for places, moved in to_host(self._decoded(window, decoder, keys, values), run):
                    if len(windows) == 1:
                        yield window.frames[places], moved
                        continue
                    if self.options.windows == "published":
                        moved[window.frames[places] == 0] = points.positions
                    done = list(merger.add(window.frames[places], window.weights[places], moved))
                    if done:
                        yield np.array([frame for frame, _ in done]), np.stack([positions for _, positions in done])

    def _encode(self, encoder: FrameEncoder, windows: list[Window], number: int) -> Tensor:
        """The patch tokens of a window; those of frames that the next one shares are kept."""
        frames = windows[number].frames
        following = windows[number + 1].frames if number + 1 < len(windows) else frames[:0]
        with self._times.stage("images"):
            return encoder.encode(frames, set(np.intersect1d(frames, following).tolist()))

    def _decoded(
        self, window: Window, decoder: PointDecoder, keys: Tensor, values: Tensor
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Batches of places in the window whose results are used, with their positions on the device."""
        used = np.flatnonzero(window.weights > 0)
        for start in range(0, len(used), decoder.frames_at_once):
            places = used[start : start + decoder.frames_at_once]
            batch = slice(int(places[0]), int(places[-1]) + 1)
            with self._times.stage("decoder"):
                positions = decoder.decode(keys[batch], values[batch])
            yield places, positions

    def _pace(self, surface: ShapePoints, points: ShapePoints, windows: list[Window], progress: Progress) -> Pace:
        workload = Workload(self.config)
        samples, count = len(surface.positions), len(points.positions)
        frames = 1 + int(windows[-1].frames.max())
        total = workload.surface(samples) + workload.points(count) + workload.images(frames)
        total += sum(workload.transformer(len(window.frames)) for window in windows)
        total += sum(workload.decoder(int((window.weights > 0).sum()), count) for window in windows)
        last = -REPORT_SECONDS

        def report(flop: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= REPORT_SECONDS:
                last = now
                progress("reconstruct", min(frames, int(frames * flop / total)), frames)

        return Pace(self.device, report)

    def _needed_bytes(self, frames: int) -> int:
        """The least that a job over a window of `frames` takes besides the weights."""
        return Workload(self.config).least_bytes(frames, self.precision.blocks.itemsize)
