"""Follows one object through a video, after it was shown in the first frame: SAM 2.1 through `transformers`.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", arXiv 2408.00714.

A mask provider is named "sam2", "sam2:box=..." or "sam2:points=...", or, elsewhere, "rembg:MODEL".
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.frame_storage import Masks, room_for_masks
from motion324.core.processes.interruption import waited
from motion324.core.progress import Progress


@dataclass(frozen=True)
class Prompt:
    """Where the object is in the first frame, in parts of the picture's width and height, from its upper left corner.

    box: (left, top, right, bottom) or None. points: ((x, y), ...). With neither, the automatic mask of that frame.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()


def parse_prompt(text: str) -> Prompt:
    """ "", "box=0.1,0.2,0.9,0.8" or "points=0.5,0.5;0.4,0.7". Raises Motion324Error("bad-option")."""
    if not text:
        return Prompt()
    kind, _, values = text.partition("=")
    try:
        groups = tuple(tuple(float(value) for value in group.split(",")) for group in values.split(";"))
        if not all(0 <= value <= 1 for group in groups for value in group):
            raise ValueError(text)
        if kind == "box" and len(groups) == 1 and len(groups[0]) == 4:
            left, top, right, bottom = groups[0]
            if left < right and top < bottom:
                return Prompt(box=(left, top, right, bottom))
        if kind == "points" and all(len(group) == 2 for group in groups):
            return Prompt(points=tuple((group[0], group[1]) for group in groups))
        raise ValueError(text)
    except ValueError as error:
        raise Motion324Error(
            "bad-option",
            f"The option mask cannot be sam2:{text}: the prompt is box=LEFT,TOP,RIGHT,BOTTOM or points=X,Y;X,Y.",
            "Numbers are parts of the picture from 0 to 1, from its upper left corner.",
            EXIT_USAGE,
        ) from error


log = logging.getLogger(__name__)

REPOSITORY_VARIABLE = "MOTION324_SAM2"  # another size, or a folder
DEFAULT_REPOSITORY = "facebook/sam2.1-hiera-small"
LICENCE = "Apache 2.0"


def sam2_masks(frames: np.ndarray, prompt: Prompt, first_mask: np.ndarray | None, progress: Progress) -> Masks:
    """frames (T, H, W, 3) uint8 -> (T, H, W) in [0, 1].

    first_mask (H, W) float32: what is followed where the prompt has neither a box nor points.
    Raises Motion324Error: "package-missing" without torch and transformers, "model-missing" where the weights are not
    on this machine.
    """
    torch, transformers = require_packages()
    progress("foreground", 0, len(frames))
    model, processor = waited(lambda: load(transformers), lambda: progress("foreground", 0, len(frames)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    height, width = frames.shape[1:3]
    masks = room_for_masks(frames.shape[:3])
    with torch.inference_mode():
        # Frames are given one by one, so that those in memory are ours, not copies at the network's size.
        session = processor.init_video_session(
            inference_device=device, processing_device="cpu", video_storage_device="cpu", dtype=model.dtype
        )
        for index, frame in enumerate(frames):
            progress("foreground", index, len(frames))
            inputs = processor(images=frame, device=device, return_tensors="pt")
            if index == 0:
                processor.add_inputs_to_inference_session(
                    inference_session=session,
                    frame_idx=0,
                    obj_ids=1,
                    original_size=inputs.original_sizes[0],
                    **_shown(prompt, first_mask, width, height),
                )
            output = model(inference_session=session, frame=inputs.pixel_values[0])
            session.processed_frames[index] = inputs.pixel_values[0][..., :0]  # 12 MB each, not needed any more
            logits = processor.post_process_masks(
                [output.pred_masks], original_sizes=[[height, width]], binarize=False
            )[0]
            masks[index] = torch.sigmoid(logits.float()).reshape(height, width).cpu().numpy()
    return masks


def require_packages() -> tuple[Any, Any]:
    """torch and transformers. Raises Motion324Error("package-missing")."""
    try:
        import torch
        import torchvision  # noqa: F401  (the processor of pictures wants it)
        import transformers

        if hasattr(transformers, "Sam2VideoModel"):
            return torch, transformers
    except (ImportError, OSError, RuntimeError) as error:  # the last two: builds that do not fit each other
        log.info("SAM 2.1 cannot be used: %s", error)
    raise Motion324Error(
        "package-missing",
        "The option mask cannot be sam2: it needs the packages torch, torchvision and transformers (4.56 or newer), in "
        "builds that fit each other.",
        "Install the backend with the extra 'sam2', or use --mask rembg.",
        EXIT_USAGE,
    )


def load(transformers: Any, offline: bool = True) -> tuple[Any, Any]:
    """The model and its processor. Raises Motion324Error("model-missing", "no-network")."""
    repository = os.environ.get(REPOSITORY_VARIABLE) or DEFAULT_REPOSITORY
    try:
        model = transformers.Sam2VideoModel.from_pretrained(repository, local_files_only=offline)
        processor = transformers.Sam2VideoProcessor.from_pretrained(repository, local_files_only=offline)
    except (OSError, ValueError) as error:
        if offline:
            raise Motion324Error(
                "model-missing",
                f"The weights of SAM 2.1 ('{repository}') are not on this machine.",
                "Run `motion324 weights download sam2` where there is a network, or use --mask rembg.",
                EXIT_BACKEND,
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise Motion324Error(
            "no-network",
            f"The weights of SAM 2.1 ('{repository}') could not be downloaded: {reason}.",
            "Look at the network connection, then run the same command again.",
            EXIT_BACKEND,
        ) from error
    return model, processor


def download() -> str:
    """Fetches the weights, to which the user has agreed -> what they are called. Raises Motion324Error."""
    load(require_packages()[1], offline=False)
    return os.environ.get(REPOSITORY_VARIABLE) or DEFAULT_REPOSITORY


def _shown(prompt: Prompt, first_mask: np.ndarray | None, width: int, height: int) -> dict[str, Any]:
    """The prompt as the processor takes it: nested by picture, object and point, in pixels."""
    if prompt.box:
        left, top, right, bottom = prompt.box
        return {"input_boxes": [[[left * width, top * height, right * width, bottom * height]]]}
    if prompt.points:
        points = [[x * width, y * height] for x, y in prompt.points]
        return {"input_points": [[points]], "input_labels": [[[1] * len(points)]]}
    assert first_mask is not None
    return {"input_masks": (first_mask > 0.5).astype(np.float32)}
