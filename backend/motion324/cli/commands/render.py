"""`motion324 render`: videos of results, and of truth and prediction to compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.terminal import LogToTerminal, Terminal
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.core.options import bad_option, read_option

if TYPE_CHECKING:
    from motion324.rendering.sequence_pictures import Look


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
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
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    import logging

    look = _look(arguments)
    terminal = Terminal()
    log = LogToTerminal(terminal)
    logging.getLogger().addHandler(log)
    try:
        if arguments.results and not arguments.release:
            return _render_results(arguments, look, terminal)
        if arguments.release and arguments.predictions and arguments.output and not arguments.results:
            return _render_comparisons(arguments, look, terminal)
    finally:
        logging.getLogger().removeHandler(log)
    raise Motion324Error(
        "bad-option",
        "What to render is not clear.",
        "Give RESULTS, or --release, --predictions and -o together.",
        EXIT_USAGE,
    )


def _look(arguments: argparse.Namespace) -> Look:
    from motion324.rendering.sequence_pictures import Look

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
