"""Runs `motion324 animate`, which animates one mesh after one video into a folder, and `motion324 examine`, which tells
in seconds what animate will find in a video.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import motion324
from motion324.cli.option_flags import add_flags, chosen_of
from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_OK
from motion324.core.files.input_files import check_inputs_stay, inputs_of_job
from motion324.core.files.write_aside import explained_write_errors
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.option_spec import OptionSpec

if TYPE_CHECKING:
    from motion324.core.result import AnimationResult, Examination

FRAME, MASK = "frame.png", "mask.png"


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
    add_flags(parser, AnimateOptions)
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")


def run(arguments: argparse.Namespace) -> int:
    options = options_of(arguments)
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        result = _animate(arguments, options, terminal)
    for warning in result.report["warnings"]:
        terminal.warn(warning["sentence"])
    print(
        json.dumps(summary_of(arguments, result), ensure_ascii=False)
        if arguments.json
        else _sentence(arguments, result)
    )
    return EXIT_OK


def options_of(arguments: argparse.Namespace) -> AnimateOptions:
    """Raises Motion324Error("bad-option")."""
    return chosen_of(arguments, AnimateOptions)


def _animate(arguments: argparse.Namespace, options: AnimateOptions, terminal: Terminal) -> AnimationResult:
    return motion324.animate(
        arguments.mesh,
        arguments.video,
        options,
        output=arguments.output,
        overlay=arguments.overlay,
        cutouts=arguments.keep_cutouts,
        blender=arguments.blender,
        progress=terminal.progress,
        on_plan=terminal.expect,
    )


def summary_of(arguments: argparse.Namespace, result: AnimationResult) -> dict[str, Any]:
    """What --json prints of a result."""
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


def add_examine_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "examine",
        help="look at a video, its first mask and the view before animating",
        description="Looks at a few frames of VIDEO: how many there are, where the object is in the first one, and "
        "with --mesh from where that frame sees the mesh. -o leaves frame.png and mask.png in DIR.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video, or a folder of images in natural order")
    parser.add_argument("--mesh", metavar="MESH", type=Path, help="find the view of this mesh, too")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder for frame.png and mask.png")
    add_flags(parser, AnimateOptions, _in_looks)
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run_examine)
    return parser


def run_examine(arguments: argparse.Namespace) -> int:
    options = chosen_of(arguments, AnimateOptions, _in_looks)
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        found = _examine(arguments, options, terminal)
    for warning in found.warnings:
        terminal.warn(warning["sentence"])
    print(
        json.dumps(_examination_summary(arguments, found), ensure_ascii=False)
        if arguments.json
        else _text(arguments, found)
    )
    return EXIT_OK


def _in_looks(spec: OptionSpec) -> bool:
    return spec.in_looks


def _examine(arguments: argparse.Namespace, options: AnimateOptions, terminal: Terminal) -> Examination:
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.examine import examine
    from motion324.pipeline.output_folder import OutputFolder

    if arguments.output is not None:
        pictures = [arguments.output / name for name in (FRAME, MASK)]
        check_inputs_stay(pictures, inputs_of_job(arguments.mesh, arguments.video, options))
    mesh = None
    if arguments.mesh:
        terminal.progress("read", 0, 1)
        mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    if arguments.output is None:
        return examine(arguments.video, options, mesh, progress=terminal.progress)
    with OutputFolder(arguments.output) as folder:
        found = examine(arguments.video, options, mesh, progress=terminal.progress)
        _write_pictures(folder.staging, found)
    return found


def _write_pictures(folder: Path, found: Examination) -> None:
    """FRAME (sRGB) and MASK (white is the object). Raises Motion324Error("cannot-write" or "disk-full")."""
    import cv2

    for name, image in ((FRAME, found.frame[..., ::-1]), (MASK, (found.mask * 255 + 0.5).astype("uint8"))):
        _, data = cv2.imencode(".png", image)
        with explained_write_errors(folder / name):
            (folder / name).write_bytes(data.tobytes())


def _examination_summary(arguments: argparse.Namespace, found: Examination) -> dict[str, Any]:
    view = found.view
    return {
        "ok": True,
        "output": None if arguments.output is None else str(arguments.output),
        "frame_count": found.frame_count,
        "used_count": found.used_count,
        "frame_number": found.frame_number,
        "fps": found.fps,
        "size": list(found.size),
        "mask_method": found.mask_method,
        "mask_share": round(float((found.mask > 0.5).mean()), 4),
        "view": None
        if view is None
        else {"azimuth": round(view.azimuth, 2), "elevation": round(view.elevation, 2), "focal": round(view.focal, 4)},
        "silhouette_overlap": None if found.silhouette_overlap is None else round(found.silhouette_overlap, 4),
        "warnings": list(found.warnings),
    }


def _text(arguments: argparse.Namespace, found: Examination) -> str:
    width, height = found.size
    text = (
        f"{found.frame_count} frames of {width} x {height} at {found.fps:g} a second, {found.used_count} of them used; "
        f"in frame {found.frame_number} the object covers {(found.mask > 0.5).mean():.1%} ({found.mask_method})"
    )
    if found.view is not None:
        text += (
            f"; seen from azimuth {found.view.azimuth:.1f}, elevation {found.view.elevation:.1f}, "
            f"silhouettes overlap by {found.silhouette_overlap:.2f}"
        )
    return text + (f": {arguments.output}" if arguments.output else "")
