"""`motion324 animate`: one mesh after one video, into a folder."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.cli.terminal import LogToTerminal, Terminal
from motion324.core.errors import EXIT_OK
from motion324.core.input_files import check_inputs_stay, inputs_of_job
from motion324.core.options import (
    ATTENTION_CHOICES,
    DEFAULT_RECONSTRUCTOR,
    PRECISIONS,
    QUALITIES,
    RECONSTRUCTORS,
    TRAINED_FRAMES,
    WINDOW_MODES,
    AnimateOptions,
    bad_option,
)

if TYPE_CHECKING:
    from motion324.core.result import AnimationResult

DEFAULTS = AnimateOptions()


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "animate",
        help="animate a mesh after a video",
        description="Animates MESH after VIDEO and leaves trajectory.npz, animation.pc2 and report.json in DIR.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", type=Path, help=".glb, .gltf, .obj, .ply, .stl, .fbx or .blend")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video, or a folder of images in natural order")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of the results")
    add_job_options(parser)
    parser.add_argument(
        "--keep-cutouts", action="store_true", help="also keep the object on black and white, and masks"
    )
    parser.add_argument("--overlay", action="store_true", help="also keep overlay.mp4: the input beside the result")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run)
    return parser


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Those that say how one mesh is animated after one video; options_of reads them."""
    parser.add_argument(
        "--reconstructor",
        metavar="NAME",
        default=DEFAULTS.reconstructor,
        help=f"one of auto, {', '.join(RECONSTRUCTORS)}; default: auto, which is {DEFAULT_RECONSTRUCTOR}",
    )
    parser.add_argument("--frames", metavar="A:B:STEP", default="", help="frames of the video, as a Python slice")
    parser.add_argument("--video-fps", metavar="F", type=float, help="of these, use so many per second; default: all")
    parser.add_argument("--fps", metavar="F", type=float, help="of the result, frames per second; default: the video's")
    add_mask_option(parser)
    parser.add_argument(
        "--view", metavar="auto|front|AZIMUTH,ELEVATION", default=DEFAULTS.view, help="in degrees; default: auto"
    )
    parser.add_argument(
        "--smooth",
        metavar="S",
        type=float,
        default=DEFAULTS.smooth,
        help=f"standard deviation in frames of the temporal low-pass; 0: off; default: {DEFAULTS.smooth:g}",
    )
    parser.add_argument(
        "--quality",
        metavar="|".join(QUALITIES),
        default=DEFAULTS.quality,
        help=f"of the result, against time; default: {DEFAULTS.quality}",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=DEFAULTS.seed, help="of every random choice")
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    _add_weights_options(parser)
    _add_transformer_options(parser)


def add_mask_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask",
        metavar="auto|as-is|alpha|plain|rembg[:MODEL]|sam2[:PROMPT]|PATH",
        default=DEFAULTS.mask,
        help="how the object is told from the background; as-is: it was cut out before; alpha: by that channel; plain: "
        "the background has one colour; rembg: by the bundled network, or another one of rembg's; sam2: by SAM 2.1, "
        "with PROMPT box=LEFT,TOP,RIGHT,BOTTOM or points=X,Y;X,Y in parts of the picture; PATH: by a mask video or a "
        "folder of masks; default: auto, the first of alpha, plain and rembg that fits",
    )


def _add_weights_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("weights", "All reconstructors but deformation-fit look at these.")
    group.add_argument(
        "--device", metavar="auto|cpu|cuda|cuda:N", default=DEFAULTS.device, help="default: a GPU where one can be used"
    )
    group.add_argument(
        "--weights",
        metavar="FILE",
        default=DEFAULTS.weights,
        help="for node-model and node-model+fit an exported .onnx, default: the model that comes along; for "
        "motion-transformer a converted .safetensors or a published .pt, default: those that `motion324 weights` has "
        "installed",
    )


def _add_transformer_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "motion-transformer", "Only --reconstructor motion-transformer looks at these; see `motion324 weights` first."
    )
    group.add_argument(
        "--precision",
        metavar="|".join(PRECISIONS),
        default=DEFAULTS.precision,
        help="of the transformer's blocks; default: half precision on GPUs that are fast at it, float32 elsewhere",
    )
    group.add_argument(
        "--attention",
        metavar="KERNEL",
        default=DEFAULTS.attention,
        help=f"one of {', '.join(ATTENTION_CHOICES)}; default: the fastest that runs here",
    )
    group.add_argument(
        "--window",
        metavar="FRAMES",
        type=int,
        default=DEFAULTS.window,
        help=f"seen at once, 2 to {TRAINED_FRAMES} (default); fewer need less memory",
    )
    group.add_argument(
        "--windows",
        metavar="|".join(WINDOW_MODES),
        default=DEFAULTS.windows,
        help="how a longer video's windows are joined: smoothly (default), or as the model's authors do",
    )


def run(arguments: argparse.Namespace) -> int:
    options = options_of(arguments)
    terminal = Terminal(as_json=arguments.json)
    log = LogToTerminal(terminal)
    logging.getLogger().addHandler(log)
    try:
        result = _animate(arguments, options, terminal)
    finally:
        logging.getLogger().removeHandler(log)
        terminal.clear()
    for warning in result.report["warnings"]:
        terminal.warn(warning["sentence"])
    print(
        json.dumps(_summary(arguments, result), ensure_ascii=False) if arguments.json else _sentence(arguments, result)
    )
    return EXIT_OK


def options_of(arguments: argparse.Namespace) -> AnimateOptions:
    """Raises Motion324Error("bad-option")."""
    options = AnimateOptions(
        reconstructor=arguments.reconstructor,
        frames=parse_frames(arguments.frames),
        video_fps=arguments.video_fps,
        fps=arguments.fps,
        mask=arguments.mask,
        view=arguments.view,
        smooth=arguments.smooth,
        seed=arguments.seed,
        quality=arguments.quality,
        device=arguments.device,
        precision=arguments.precision,
        attention=arguments.attention,
        window=arguments.window,
        windows=arguments.windows,
        weights=arguments.weights,
    )
    options.check()
    return options


def parse_frames(text: str) -> tuple[int | None, int | None, int]:
    """ "A:B:STEP" with any part left out. Raises Motion324Error("bad-option")."""
    if not text:
        return DEFAULTS.frames
    parts = text.split(":")
    try:
        if not 2 <= len(parts) <= 3:
            raise ValueError(text)
        start, stop, step = (int(part) if part else None for part in (*parts, "")[:3])
    except ValueError as error:
        raise bad_option("frames", f"is '{text}'; it must be A:B or A:B:STEP, as in 0:60:2 or 10:") from error
    return start, stop, 1 if step is None else step


def _animate(arguments: argparse.Namespace, options: AnimateOptions, terminal: Terminal) -> AnimationResult:
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate
    from motion324.trajectories.result_files import KeepOptions

    keep = KeepOptions(arguments.output, cutouts=arguments.keep_cutouts, overlay=arguments.overlay)
    check_inputs_stay(keep.files(), inputs_of_job(arguments.mesh, arguments.video, options))
    terminal.progress("read", 0, 1)
    mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    return animate(mesh, arguments.video, options, progress=terminal.progress, keep=keep)


def _summary(arguments: argparse.Namespace, result: AnimationResult) -> dict[str, Any]:
    frames, vertices = result.positions.shape[:2]
    return {
        "ok": True,
        "output": str(arguments.output),
        "frames": frames,
        "vertices": vertices,
        "fps": result.fps,
        "report": result.report,
    }


def _sentence(arguments: argparse.Namespace, result: AnimationResult) -> str:
    frames, vertices = result.positions.shape[:2]
    seconds = result.report["seconds"]["total"]
    how = result.report["reconstruction"]
    device = f" on {how['device']}" if "device" in how else ""
    precision = f" in {how['precision']}" if "precision" in how else ""
    by = f"{result.report['reconstructor']}{device}{precision}"
    return (
        f"{frames} frames of {vertices} vertices in {seconds:.1f} s by {by}, "
        f"silhouettes overlap by {result.report['silhouette_overlap']:.2f}: {arguments.output}"
    )
