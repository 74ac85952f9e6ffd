"""What a user may choose for one animation job: the same names on the command line, on the wire and in Blender."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from motion324.core.errors import EXIT_USAGE, Motion324Error

MAX_SMOOTH = 1000.0  # frames
MASK_MODES = ("auto", "as-is", "alpha", "plain", "rembg", "sam2")
DEFAULT_RECONSTRUCTOR = "node-model+fit"  # that "auto" stands for
RECONSTRUCTORS = ("deformation-fit", "motion-transformer", "node-model", "node-model+fit")
QUALITIES = ("draft", "standard", "fine")
PRECISIONS = ("auto", "bfloat16", "float16", "float32")
# "auto", families of kernels, and kernels.
ATTENTION_CHOICES = (
    "auto",
    "flash-attn",
    "sdpa",
    "flash-attn-4",
    "flash-attn-3",
    "flash-attn-2",
    "xformers",
    "cudnn",
    "flash",
    "efficient",
    "math",
)
WINDOW_MODES = ("blend", "published")
TRAINED_FRAMES = 256  # that the published transformer saw at once


@dataclass(frozen=True)
class AnimateOptions:
    """reconstructor: "auto" or one of RECONSTRUCTORS.
    frames: (start, stop, step) of the video's frames as in a Python slice; the first one used is the reference frame.
    video_fps: of those frames, so many per second are used, evenly spaced in time; None takes all.
    fps: frames per second of the result; None takes that of the frames that are used.
    mask: "auto", "as-is", "alpha", "plain", "rembg", "rembg:MODEL", "sam2", "sam2:box=LEFT,TOP,RIGHT,BOTTOM" or
        "sam2:points=X,Y;X,Y" in parts of the picture, or the path of a mask video or folder.
    view: "auto", "front", or "AZIMUTH,ELEVATION" in degrees.
    smooth: standard deviation in frames of the temporal low-pass; 0 switches it off.
    seed: of every random choice; the same seed gives the same result on the same machine.
    quality: one of QUALITIES, against time; only the reconstructors "deformation-fit" and "node-model+fit" look at it.

    Only the reconstructors with weights look at these two, only "motion-transformer" at what follows:
    device: "auto", "cpu", "cuda" or "cuda:N".
    weights: path, on the backend's machine, of a converted .safetensors or a published .pt, where "" takes what
        `motion324 weights` has installed; of an exported .onnx for "node-model" and "node-model+fit", where "" takes
        the model that comes along.
    precision: of the transformer's blocks, one of PRECISIONS.
    attention: one of ATTENTION_CHOICES.
    window: frames that the transformer sees at once, 2 to TRAINED_FRAMES; a longer video runs in overlapping windows.
    windows: how those are joined, one of WINDOW_MODES: smoothly, or as the authors' script does.
    """

    reconstructor: str = "auto"
    frames: tuple[int | None, int | None, int] = (None, None, 1)
    video_fps: float | None = None
    fps: float | None = None
    mask: str = "auto"
    view: str = "auto"
    smooth: float = 0.5
    seed: int = 0
    quality: str = "standard"
    device: str = "auto"
    precision: str = "auto"
    attention: str = "auto"
    window: int = TRAINED_FRAMES
    windows: str = "blend"
    weights: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AnimateOptions:
        """Raises Motion324Error("bad-option") that names an unknown option or one whose value cannot be used."""
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise bad_option(name, f"is not known; known are {', '.join(sorted(known))}")
        values = dict(values)
        for field in dataclasses.fields(cls):
            if isinstance(field.default, str) and not isinstance(values.get(field.name, ""), str):
                raise bad_option(field.name, f"is {values[field.name]!r}; it must be a text")
        try:
            if "frames" in values:
                start, stop, step = values["frames"]
                values["frames"] = (_whole(start), _whole(stop), int(step if step is not None else 1))
            for name, kind in (("smooth", float), ("seed", int), ("window", int)):
                if name in values:
                    values[name] = kind(values[name])
            for name in ("fps", "video_fps"):
                if values.get(name) is not None:
                    values[name] = float(values[name])
        except (TypeError, ValueError) as error:
            raise bad_option("frames, smooth, seed, window, fps or video_fps", f"cannot be read: {error}") from error
        options = cls(**values)
        options.check()
        return options

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where a value is outside of what makes sense."""
        if self.frames[2] < 1:
            raise bad_option("frames", f"has the step {self.frames[2]}; it must be at least 1")
        if not 0 <= self.smooth <= MAX_SMOOTH:
            raise bad_option("smooth", f"is {self.smooth}; it must lie between 0 and {MAX_SMOOTH:g}")
        if self.seed < 0:
            raise bad_option("seed", f"is {self.seed}; it must not be negative")
        for name, rate in (("fps", self.fps), ("video-fps", self.video_fps)):
            if rate is not None and not 0 < rate <= 1000:
                raise bad_option(name, f"is {rate}; it must lie between 0 and 1000")
        if self.view not in ("auto", "front"):
            parse_view_angles(self.view)
        check_choice("reconstructor", self.reconstructor, ("auto", *RECONSTRUCTORS))
        check_choice("quality", self.quality, QUALITIES)
        check_device(self.device)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("attention", self.attention, ATTENTION_CHOICES)
        check_choice("windows", self.windows, WINDOW_MODES)
        check_window(self.window)


def names_mask_files(mask: str) -> bool:
    """Whether the option `mask` is the path of masks, and no way of finding them."""
    return mask not in MASK_MODES and not mask.startswith(("rembg:", "sam2:"))


def parse_view_angles(text: str) -> tuple[float, float]:
    """The two numbers of "AZIMUTH,ELEVATION" in degrees. Raises Motion324Error("bad-option")."""
    try:
        azimuth, elevation = (float(part) for part in text.split(","))
    except ValueError as error:
        raise bad_option("view", f"is '{text}'; it must be auto, front, or AZIMUTH,ELEVATION in degrees") from error
    if not -360 <= azimuth <= 360:
        raise bad_option("view", f"has the azimuth {azimuth:g}; it must lie between -360 and 360 degrees")
    if not -90 <= elevation <= 90:
        raise bad_option("view", f"has the elevation {elevation:g}; it must lie between -90 and 90 degrees")
    return azimuth, elevation


def check_device(name: str) -> None:
    """Raises Motion324Error("bad-option") for what is no device's name; whether it is there, only PyTorch knows."""
    if not re.fullmatch(r"auto|cpu|cuda(:(0|[1-9]\d?))?", name, re.ASCII):
        raise bad_option("device", f"is '{name}'; it must be auto, cpu, cuda or cuda:N")


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises Motion324Error("bad-option")."""
    if value not in choices:
        raise bad_option(option, f"is '{value}'; it must be one of {', '.join(choices)}")


def check_window(window: int, trained_frames: int = TRAINED_FRAMES) -> None:
    """Raises Motion324Error("bad-option")."""
    most = max(trained_frames, 2)
    if not 2 <= window <= most:
        raise bad_option("window", f"is {window}; it must lie between 2 and {most}")


def bad_option(name: str, why: str) -> Motion324Error:
    return Motion324Error("bad-option", f"The option {name} {why}.", exit_code=EXIT_USAGE)


def _whole(value: object) -> int | None:
    return None if value is None else int(str(value))
