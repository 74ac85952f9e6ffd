"""Commands that write a video: `motion324 overlay`, a trajectory beside its video, and `motion324 images-to-video`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_BAD_MESH, EXIT_BAD_VIDEO, EXIT_OK, Motion324Error
from motion324.core.input_files import InputFile, check_inputs_stay
from motion324.core.options import bad_option, read_option

if TYPE_CHECKING:
    import numpy as np


SAME = 1e-4  # of the mesh's extent


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
    from motion324.core.trajectory_file import load_trajectory
    from motion324.mesh.files.reading import read_mesh
    from motion324.trajectories.overlay import write_overlay
    from motion324.video.decoding import read_numbered
    from motion324.video.steady_picture import steady_images

    inputs = {"mesh": arguments.mesh, "video": arguments.video, "trajectory": arguments.trajectory}
    check_inputs_stay([arguments.output], [InputFile(kind, path) for kind, path in inputs.items()])
    terminal = Terminal()
    trajectory = load_trajectory(arguments.trajectory)
    mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    if not _is_first_frame(mesh.positions, trajectory.positions[0]):
        raise Motion324Error(
            "mesh-differs",
            f"'{arguments.trajectory}' was not made from '{arguments.mesh}': its first frame is another mesh.",
            "Give the mesh that was animated.",
            EXIT_BAD_MESH,
        )
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


def _is_first_frame(positions: np.ndarray, frame: np.ndarray) -> bool:
    """Whether both (N, 3) are the same mesh in the same coordinates."""
    if positions.shape != frame.shape:
        return False
    extent = (positions.max(axis=0) - positions.min(axis=0)).max()
    return bool(abs(positions - frame).max() <= SAME * extent)


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
