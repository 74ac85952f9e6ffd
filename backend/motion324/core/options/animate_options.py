"""Declares what a user may choose for one animation job, each option once. The command line, job files, the wire and
Blender's properties derive from it; how is told in motion324.core.options.option_spec.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from motion324.core.options.option_group import OptionGroup, bad_option, read_value, told
from motion324.core.options.option_spec import Choice, Flag, Section, Shown, option

MAX_SMOOTH = 1000  # frames
MAX_FPS = 1000
MAX_SEED = 2**63 - 1  # that PyTorch takes as well
AZIMUTHS, ELEVATIONS = (-360, 360), (-90, 90)  # degrees
TRAINED_FRAMES = 256  # that the published transformer saw at once
FIT, TRANSFORMER, COMPACT, COMPACT_AND_FIT = "deformation-fit", "motion-transformer", "node-model", "node-model+fit"
ANY_POSE = "any"
DEFAULT_RECONSTRUCTOR = COMPACT_AND_FIT  # that "auto" stands for

_ONLY_TRANSFORMER = ("reconstructor", (TRANSFORMER,))
_WEIGHTS = Section("weights", f"All reconstructors but {FIT} look at these.")
_TRANSFORMER = Section(
    TRANSFORMER, f"Only --reconstructor {TRANSFORMER} looks at these; see `motion324 weights` first."
)
# Families of kernels, and kernels.
_KERNELS = (
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


def names_mask_files(mask: str) -> bool:
    """Whether the option `mask` is the path of masks, and no way of finding them."""
    return mask not in MASK_MODES and not mask.startswith(("rembg:", "sam2:"))


def _device(text: str) -> None:
    """Whether it is there, only PyTorch or onnxruntime know."""
    if not re.fullmatch(r"cuda:(0|[1-9]\d?)", text, re.ASCII):
        raise ValueError(f"is {told(text)}; it must be auto, cpu, cuda or cuda:N")


def _view_angles(text: str) -> tuple[float, float]:
    try:
        azimuth, elevation = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"is {told(text)}; it must be auto, front, or AZIMUTH,ELEVATION in degrees") from error
    for name, angle, (low, high) in (("azimuth", azimuth, AZIMUTHS), ("elevation", elevation, ELEVATIONS)):
        if not low <= angle <= high:
            raise ValueError(f"has the {name} {angle:g}; it must lie between {low} and {high} degrees")
    return azimuth, elevation


@dataclass(frozen=True)
class AnimateOptions(OptionGroup):
    """What each of them means is its help. The first frame that is used is the reference frame, unless the
    mesh has another pose."""

    reconstructor: str = option(
        "auto",
        "what turns the video into motion",
        choices=(
            Choice(
                "auto", "Best", "A small trained network, refined by a fit of the mesh to the video; works everywhere"
            ),
            Choice(COMPACT, "Fast", "The small trained network by itself, in about half the time of Best"),
            Choice(
                FIT,
                "Fit Only",
                "Fits the mesh to the video without any network, in half the time of Best",
            ),
            Choice(
                TRANSFORMER,
                "Research Model (non-commercial)",
                "A large trained network; needs its published weights, and a GPU to be fast",
            ),
            Choice(COMPACT_AND_FIT),  # which Best is
        ),
        flag=Flag(metavar="NAME", default=f"auto, which is {DEFAULT_RECONSTRUCTOR}"),
        shown=Shown("Quality", "How the motion is found in the video", panel="Quality"),
    )
    frames: tuple[int | None, int | None, int] = option(
        (None, None, 1),
        "frames of the video, as a Python slice; the result begins with the first one",
        in_looks=True,
        flag=Flag(metavar="A:B:STEP", default="all"),
        shown=Shown("First Frame and Frames", panel="Frames and Timing", composed=True),
    )
    video_fps: float | None = option(
        None,
        "of these frames, so many per second of the video are used, evenly spaced in time",
        low=0,
        above_low=True,
        high=MAX_FPS,
        in_looks=True,
        flag=Flag(metavar="F", default="all"),
        shown=Shown(
            "Frames per Second",
            "Of these frames, so many per second of the video are used, evenly spaced in time",
            panel="Frames and Timing",
            short="Per Second",
            soft_high=60,
            precision=1,
        ),
    )
    fps: float | None = option(
        None,
        "frames per second of the result",
        low=0,
        above_low=True,
        high=MAX_FPS,
        flag=Flag(metavar="F", default="that of the frames that are used"),
        shown=Shown("Frame Rate", panel="Frames and Timing", composed=True),
    )
    mask: str = option(
        "auto",
        "how the object is told from the background; as-is: it was cut out before; alpha: by that channel; plain: the "
        "background has one colour; rembg: by the bundled network, or another one of rembg's; sam2: by SAM 2.1, with "
        "PROMPT box=LEFT,TOP,RIGHT,BOTTOM or points=X,Y;X,Y in parts of the picture; PATH: by a mask video or a folder "
        "of masks",
        choices=(
            Choice("auto", "Automatic", "Transparency if the video has it, then one colour, then the AI cut-out"),
            Choice(
                "as-is", "Already Cut Out", "The video is cut out: by transparency, or by one colour around the object"
            ),
            Choice("alpha", "Transparency", "The video's own alpha channel"),
            Choice(
                "plain", "One-Colour Background", "White, black, a green screen or any other colour behind the object"
            ),
            Choice("rembg", "AI Cut-out", "A neural network finds the object; for any background"),
            Choice(
                "sam2", "SAM 2.1", "Follows what stands out in the first frame; needs SAM 2.1 in the engine's Python"
            ),
        ),
        also=lambda text: None,  # a path, or a method with its model or prompt
        is_file=names_mask_files,
        in_looks=True,
        flag=Flag(
            metavar="auto|as-is|alpha|plain|rembg[:MODEL]|sam2[:PROMPT]|PATH",
            default="auto, the first of alpha, plain and rembg that fits",
        ),
        shown=Shown("Method", "How the moving object is told from the background", panel="Cut-out", composed=True),
    )
    view: str = option(
        "auto",
        "from where the video sees the mesh, in degrees: azimuth 0 looks at its front, 90 from its +X side",
        choices=(
            Choice("auto", "Automatic", "Finds from where the video sees the mesh in its first frame"),
            Choice("front", "Front", "The video sees the mesh from its front (-Y)"),
        ),
        also=_view_angles,
        in_looks=True,
        flag=Flag(metavar="auto|front|AZIMUTH,ELEVATION"),
        shown=Shown("Camera Angle", "From where the video sees the mesh", panel="Camera", composed=True),
    )
    pose: str = option(
        "auto",
        "which pose the mesh has; first-frame: that of the first frame; any: that of another frame, its rest pose or a "
        "T-pose, so that the result begins with the pose of the first frame; auto: what mesh and video show",
        choices=(
            Choice("auto", "Automatic", "The first frame's pose, unless mesh and video clearly show another one"),
            Choice("first-frame", "First Frame", "The mesh has the pose of the first frame that is used"),
            Choice(
                ANY_POSE,
                "Any",
                "A rest pose, a T-pose, the pose of another frame or clip: the result begins with the video's own pose",
            ),
        ),
        shown=Shown("Pose", "Which pose the mesh has", panel="Camera"),
    )
    camera: str = option(
        "auto",
        "whether the camera moves; auto: where the background shows it clearly, its motion is taken off, so that the "
        "object moves as it does in the world; moving: also where it shows it less clearly; still: never",
        choices=(
            Choice("auto", "Automatic", "Takes the camera's motion off where the background shows it clearly"),
            Choice("still", "Still", "The camera stands still, or its motion is to stay in the result"),
            Choice("moving", "Moving", "Takes the camera's motion off also where the background shows it less clearly"),
        ),
        in_looks=True,
        shown=Shown("Video's Camera", "Whether the video's camera moves", panel="Camera"),
    )
    smooth: float = option(
        0.0,
        "standard deviation in frames of the temporal low-pass; 0: off, only trembling is taken off",
        low=0,
        high=MAX_SMOOTH,
        flag=Flag(metavar="S"),
        shown=Shown("Smoothing", "Evens out jitter over so many frames; 0 is off", panel="Quality", soft_high=5),
    )
    seed: int = option(
        0,
        "of every random choice; the same seed gives the same result on the same machine",
        low=0,
        high=MAX_SEED,
        flag=Flag(metavar="N"),
        shown=Shown("Seed", "The same seed gives the same result", panel="Quality", only_with=_ONLY_TRANSFORMER),
    )
    quality: str = option(
        "standard",
        "of the result, against time",
        choices=(
            Choice("draft", "Draft", "A quick look"),
            Choice("standard", "Standard", "For nearly all work"),
            Choice("fine", "Fine", "Takes longer, and follows small motion more closely"),
        ),
        counts_with=("reconstructor", ("auto", FIT, COMPACT_AND_FIT)),
        shown=Shown(
            "Effort",
            "How much time is spent on fitting the mesh to the video",
            panel="Quality",
        ),
    )
    pins: str = option(
        "",
        "a JSON file of corrections that the result has to meet: points of the surface at places in the picture, "
        "vertices that stay still, corrected poses",
        is_file=bool,
        flag=Flag(metavar="FILE.json", default="none"),
    )
    device: str = option(
        "auto",
        "where the reconstructor's network computes",
        choices=(
            Choice("auto", "Automatic", "The GPU if there is one that PyTorch can use, else the CPU"),
            Choice("cuda", "GPU", "The first NVIDIA GPU"),
            Choice("cpu", "CPU", "Works everywhere, and takes long"),
        ),
        also=_device,
        counts_with=("reconstructor", ("auto", TRANSFORMER, COMPACT, COMPACT_AND_FIT)),
        flag=Flag(metavar="auto|cpu|cuda|cuda:N", default="a GPU where one can be used", section=_WEIGHTS),
        shown=Shown(
            "Device",
            "Where the research model computes",
            panel="Quality",
            only_with=_ONLY_TRANSFORMER,
        ),
    )
    precision: str = option(
        "auto",
        "of the transformer's blocks",
        choices=(
            Choice("auto", "Automatic", "The fastest that keeps the result on the chosen device"),
            Choice("bfloat16", "bfloat16", "Fast on recent GPUs"),
            Choice("float16", "float16", "Fast on older GPUs"),
            Choice("float32", "float32", "Exact, and slow"),
        ),
        counts_with=_ONLY_TRANSFORMER,
        flag=Flag(default="half precision on GPUs that are fast at it, float32 elsewhere", section=_TRANSFORMER),
        shown=Shown(
            "Precision",
            "Numbers that the research model computes with",
            panel="Quality",
        ),
    )
    attention: str = option(
        "auto",
        "kernel of the attention",
        choices=tuple(Choice(name) for name in ("auto", *_KERNELS)),
        counts_with=_ONLY_TRANSFORMER,
        flag=Flag(metavar="KERNEL", default="the fastest that runs here", section=_TRANSFORMER),
    )
    window: int = option(
        TRAINED_FRAMES,
        f"seen at once, 2 to {TRAINED_FRAMES}; fewer need less memory, and a longer video runs in overlapping windows",
        low=2,
        high=TRAINED_FRAMES,
        counts_with=_ONLY_TRANSFORMER,
        flag=Flag(metavar="FRAMES", section=_TRANSFORMER),
    )
    windows: str = option(
        "blend",
        "how a longer video's windows are joined: smoothly, or as the model's authors do",
        choices=(Choice("blend"), Choice("published")),
        counts_with=_ONLY_TRANSFORMER,
        flag=Flag(section=_TRANSFORMER),
    )
    weights: str = option(
        "",
        f"a path on the backend's machine: an exported .onnx for {COMPACT} and {COMPACT_AND_FIT}, a converted "
        f".safetensors or a published .pt for {TRANSFORMER}",
        is_file=bool,
        counts_with=("reconstructor", ("auto", TRANSFORMER, COMPACT, COMPACT_AND_FIT)),
        flag=Flag(
            metavar="FILE",
            default="the model that comes along; those that `motion324 weights` has installed",
            section=_WEIGHTS,
        ),
    )


MASK_MODES = AnimateOptions.specs()["mask"].values
RECONSTRUCTORS = tuple(name for name in AnimateOptions.specs()["reconstructor"].values if name != "auto")
QUALITIES = AnimateOptions.specs()["quality"].values
ATTENTION_CHOICES = AnimateOptions.specs()["attention"].values


def parse_view_angles(text: str) -> tuple[float, float]:
    """The two numbers of "AZIMUTH,ELEVATION" in degrees. Raises Motion324Error("bad-option")."""
    try:
        return _view_angles(text)
    except ValueError as error:
        raise bad_option("view", str(error)) from None


def read_option(name: str, value: object) -> object:
    """The value of one of AnimateOptions, for who has the same option. Raises Motion324Error("bad-option")."""
    return read_value(AnimateOptions.specs()[name], value)
