"""Runs the commands that write videos.

`motion324 render`: of results, and of truth and prediction to compare; `motion324 overlay`: of a trajectory beside its
video; `motion324 images-to-video`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_BAD_VIDEO, EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.core.files.input_files import InputFile, check_inputs_stay
from motion324.core.options.animate_options import bad_option, read_option

if TYPE_CHECKING:
    from motion324.rendering.result_videos import Look


def add_render_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "render",
        help="draw results, or truth and predictions, with Blender",
        description="With RESULTS, leaves animation.mp4 in that result folder, or in every one below it. With "
        "--release and --predictions, leaves one video a side and azimuth of every clip below DIR.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", metavar="RESULTS", type=Path, nargs="?", help="a result folder, or one above many")
    parser.add_argument("--mesh", metavar="MESH", type=Path, help="with the colours of a single result")
    parser.add_argument("--release", metavar="ROOT", type=Path, help="a benchmark in Motion80's layout")
    parser.add_argument("--predictions", metavar="DIR", type=Path, help="one prediction for each clip")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the videos to compare")
    parser.add_argument("--clips", metavar="NAME,NAME", default="", help="only these")
    parser.add_argument("--size", metavar="PIXELS", type=int, default=512, help="of each view; default: 512")
    parser.add_argument(
        "--azimuths", metavar="A,B,...", default="0,90,180,270", help="in degrees; default: 0,90,180,270"
    )
    parser.add_argument("--elevation", metavar="E", type=float, default=0.0, help="in degrees; default: 0")
    parser.add_argument("--fps", metavar="F", type=float, help="default: the result's own; 16 for comparisons")
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, or a Python with bpy")
    parser.set_defaults(run=run_render)
    return parser


def run_render(arguments: argparse.Namespace) -> int:
    look = _look(arguments)
    terminal = Terminal()
    with working(terminal):
        if arguments.results and not arguments.release:
            return _render_results(arguments, look, terminal)
        if arguments.release and arguments.predictions and arguments.output and not arguments.results:
            return _render_comparisons(arguments, look, terminal)
    raise Motion324Error(
        "bad-option",
        "What to render is not clear.",
        "Give RESULTS, or --release, --predictions and -o together.",
        EXIT_USAGE,
    )


def _look(arguments: argparse.Namespace) -> Look:
    from motion324.rendering.result_videos import Look

    try:
        azimuths = tuple(float(part) for part in arguments.azimuths.split(","))
    except ValueError as error:
        raise bad_option("azimuths", f"is '{arguments.azimuths}'; it must be numbers as in 0,90") from error
    if not 16 <= arguments.size <= 4096:
        raise bad_option("size", f"is {arguments.size}; it must lie between 16 and 4096")
    read_option("fps", arguments.fps)
    return Look(size=arguments.size, azimuths=azimuths, elevation=arguments.elevation)


def _render_results(arguments: argparse.Namespace, look: Look, terminal: Terminal) -> int:
    from motion324.rendering.result_videos import write_result_videos

    failed = 0
    for written in write_result_videos(
        arguments.results, look, arguments.fps, arguments.mesh, arguments.blender, terminal.progress
    ):
        if isinstance(written, Motion324Error):
            failed += 1
            terminal.fail(written)
        else:
            terminal.clear()
            print(written, flush=True)
    return EXIT_INTERNAL if failed else EXIT_OK


def _render_comparisons(arguments: argparse.Namespace, look: Look, terminal: Terminal) -> int:
    from motion324.evaluation.release import read_release
    from motion324.rendering.comparison_videos import FPS, write_comparisons

    clips = read_release(arguments.release, tuple(name for name in arguments.clips.split(",") if name))
    failed = 0
    for compared in write_comparisons(
        clips,
        arguments.predictions,
        arguments.output,
        look,
        arguments.fps or FPS,
        arguments.blender,
        terminal.progress,
    ):
        terminal.clear()
        if compared.problem:
            failed += 1
            terminal.fail(compared.problem)
        else:
            print(f"{compared.name}: {len(compared.files)} videos in {compared.files[0].parent}", flush=True)
    return EXIT_INTERNAL if failed else EXIT_OK


def add_overlay_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "overlay",
        help="show a trajectory beside its video",
        description="Writes an .mp4: the video, the video with the result's outline, and the result, side by side.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", type=Path, help="the mesh that was animated")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="the video that it was animated after")
    parser.add_argument("trajectory", metavar="TRAJECTORY", type=Path, help="the trajectory.npz of `motion324 animate`")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the .mp4 to write")
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.set_defaults(run=run_overlay)
    return parser


def run_overlay(arguments: argparse.Namespace) -> int:
    from motion324.core.files.reference_mesh_file import SUFFIX, load_reference_mesh
    from motion324.core.files.trajectory_file import load_trajectory
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.camera import steady_images
    from motion324.trajectories.result_files import write_overlay
    from motion324.trajectories.result_reading import check_is_first_frame
    from motion324.video.decoding import read_numbered

    inputs = {"mesh": arguments.mesh, "video": arguments.video, "trajectory": arguments.trajectory}
    check_inputs_stay([arguments.output], [InputFile(kind, path) for kind, path in inputs.items()])
    terminal = Terminal()
    trajectory = load_trajectory(arguments.trajectory)
    if arguments.mesh.suffix == SUFFIX:  # from the extension
        mesh = load_reference_mesh(arguments.mesh)
    else:
        mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    check_is_first_frame(mesh, arguments.mesh, trajectory, arguments.trajectory)
    numbers = trajectory.frame_numbers
    clip = read_numbered(arguments.video, numbers, terminal.progress)
    if len(clip.frames) != len(numbers):
        raise Motion324Error(
            "video-differs",
            f"'{arguments.trajectory}' was not made from '{arguments.video}': it has {len(numbers)} frames, of which "
            f"the video has {len(clip.frames)}.",
            "Give the video that the mesh was animated after.",
            EXIT_BAD_VIDEO,
        )
    if trajectory.camera_to_first is not None:
        steady = steady_images(clip.frames, trajectory.camera_to_first, terminal.progress)
        clip = dataclasses.replace(clip, frames=steady)
    write_overlay(
        arguments.output, clip, mesh, trajectory.positions, trajectory.view, trajectory.fps, terminal.progress
    )
    terminal.clear()
    print(arguments.output)
    return EXIT_OK


def add_images_to_video_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "images-to-video",
        help="make a video of a folder of images",
        description="Writes the images of DIR, in natural order (frame_2 before frame_10), as an MP4. What an alpha "
        "channel hides becomes white.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="PNG, JPEG, WebP, BMP or TIFF images of one size")
    parser.add_argument("-o", "--output", metavar="FILE.mp4", type=Path, required=True)
    parser.add_argument("--fps", metavar="F", type=float, default=24.0, help="frames per second; default: 24")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run_images_to_video)
    return parser


def run_images_to_video(arguments: argparse.Namespace) -> int:
    from motion324.video.writing import write_image_sequence

    if arguments.output.suffix.lower() != ".mp4":
        raise bad_option("output", f"is '{arguments.output}'; it must end in .mp4")
    read_option("fps", arguments.fps)
    terminal = Terminal(as_json=arguments.json)
    try:
        count = write_image_sequence(arguments.folder, arguments.output, arguments.fps, terminal.progress)
    finally:
        terminal.clear()
    values = {"ok": True, "output": str(arguments.output), "frames": count, "fps": arguments.fps}
    sentence = f"{count} frames at {arguments.fps:g} a second: {arguments.output}"
    print(json.dumps(values, ensure_ascii=False) if arguments.json else sentence)
    return EXIT_OK
