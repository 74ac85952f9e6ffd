"""Runs the bundled U2-Net-P, which finds what stands out in a picture, whatever the background.

The network ends in seven side outputs of growing resolution and their fusion. Half of its time goes into the finest
one, stage1d, which changes little: the side output before it, at 160 pixels, agrees with the fusion to a mean IoU of
0.987 (benchmarks/results.md, "Foreground"), and what follows here fits the masks to the picture's own edges anyway. So
the network is computed up to that output only.

It runs on the GPU of onnxruntime or of PyTorch where there is one, else on the CPU by onnxruntime.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks, room_for_masks
from motion324.core.jobs.job_plan import LOOKED_AT_EACH
from motion324.core.processes.onnx_providers import CPU, accelerators, best_first, place_of
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.processes.torch_gpu import torch_may_find_a_gpu
from motion324.core.progress import Progress
from motion324.video.foreground.onnx_graph import network_until
from motion324.video.foreground.saliency_between import carried_mask
from motion324.video.optical_flow import FlowOfThreads

log = logging.getLogger(__name__)

MODEL_FILE = Path(__file__).resolve().parent.parent / "models" / "u2netp.onnx"
_SIDE_OUTPUT = "1857"  # of side2, before it is enlarged
# What U2-Net was trained with: the mean and deviation of ImageNet's colours, and pictures of 320 x 320 pixels.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_INPUT_SIDE = 320
AT_ONCE = 16  # pictures, on a GPU
LOOKING = 0.9  # of the progress, where flow tells of every second frame
WORKERS_BESIDE_A_GPU = 2  # one makes pictures ready, and masks of what was found, while the other waits for the GPU


def salient_masks(frames: np.ndarray, progress: Progress) -> Masks:
    """frames (T, H, W, 3) uint8 -> (T, H, W) in [0, 1], each frame by itself; all near 0 where nothing is. Of more than
    LOOKED_AT_EACH, a CPU looks at every second one, and at those between that their neighbours do not explain.

    One frame on each core, or AT_ONCE together where there is a GPU. rembg's own `predict` stretches every
    answer to the full range from 0 to 1, which of an empty picture makes an object out of nothing; this does not.
    """
    network = load_network()
    height, width = frames.shape[1:3]
    masks = room_for_masks(frames.shape[:3])
    together = 1 if network.on_cpu else AT_ONCE
    step = 2 if network.on_cpu and len(frames) > LOOKED_AT_EACH else 1
    looked_at = range(0, len(frames), step)
    parts = [looked_at[start : start + together] for start in range(0, len(looked_at), together)]
    flow = FlowOfThreads()

    def look(places: Sequence[int]) -> None:
        logits = network.run(np.stack([_input(frames[place]) for place in places]))
        for place, coarse in zip(places, logits[:, 0], strict=True):
            fine = cv2.resize(coarse, (_INPUT_SIDE, _INPUT_SIDE), interpolation=cv2.INTER_LINEAR)
            saliency = 1 / (1 + np.exp(-np.clip(fine, -30, 30)))
            masks[place] = np.clip(cv2.resize(saliency, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)

    def carry(index: int) -> None:
        place = step * index + 1
        beside = [(frames[near], masks[near]) for near in (place - 1, place + 1) if near < len(frames)]
        found = carried_mask(frames[place], beside, flow)
        if found is None:
            look([place])
        else:
            masks[place] = found

    def tell(share: float) -> None:
        progress("foreground", round(share * len(frames)), len(frames))

    workers, looking = (None if network.on_cpu else WORKERS_BESIDE_A_GPU), (LOOKING if step > 1 else 1.0)
    side_by_side(len(parts), lambda index: look(parts[index]), lambda done: tell(looking * done / len(parts)), workers)
    if step > 1:
        between = len(frames) - len(looked_at)
        side_by_side(between, carry, lambda done: tell(looking + (1 - looking) * done / between))
    return masks


@dataclass(frozen=True)
class Network:
    """run: pictures (B, 3, 320, 320) float32, as _input makes them -> logits (B, 1, 160, 160). place: for people."""

    run: Callable[[np.ndarray], np.ndarray]
    place: str

    @property
    def on_cpu(self) -> bool:
        return self.place == "cpu"


@functools.cache
def load_network() -> Network:
    """On the GPU that is there, else on one thread of the CPU for each picture."""
    data = MODEL_FILE.read_bytes()
    return _on_accelerator(data) or _by_torch(data) or _by_onnxruntime(data, [CPU])


def _on_accelerator(data: bytes) -> Network | None:
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if not accelerators(there):
        return None
    try:
        return _by_onnxruntime(data, best_first(there))
    except Exception as error:  # onnxruntime's own kinds, one for each provider
        log.warning("onnxruntime cannot use %s to find the foreground: %s", place_of(accelerators(there)[0]), error)
        return None


def _by_torch(data: bytes) -> Network | None:
    if not torch_may_find_a_gpu():
        return None
    try:
        from motion324.video.foreground.saliency_by_torch import run_on_gpu

        return Network(run_on_gpu(data), "cuda, PyTorch")
    except Exception as error:  # a driver, a GPU or a PyTorch that do not fit each other, in many ways
        log.warning("PyTorch cannot find the foreground on a GPU, the CPU does: %s", error)
        return None


def _by_onnxruntime(data: bytes, providers: list[str]) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # frames run side by side instead
    options.log_severity_level = 3  # it would list every weight of the part that is left out
    session = onnxruntime.InferenceSession(network_until(data, _SIDE_OUTPUT), options, providers=providers)
    name = session.get_inputs()[0].name

    def run(pictures: np.ndarray) -> np.ndarray:
        # The file says that its pictures come one by one.
        return np.concatenate([session.run(None, {name: picture[None]})[0] for picture in pictures])

    return Network(run, place_of(session.get_providers()[0]))


def _input(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, 320, 320) float32, normalised as rembg does."""
    small = cv2.resize(frame, (_INPUT_SIDE, _INPUT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    scaled = (small / max(float(small.max()), 1e-6) - _MEAN) / _DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))
