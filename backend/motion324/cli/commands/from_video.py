"""Runs `motion324 from-video`, which makes an animated, coloured mesh from a video alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.cli.commands.animate import add_job_options, options_of
from motion324.cli.option_flags import add_flags, chosen_of
from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_OK
from motion324.core.options.mesh_settings import MeshSettings

if TYPE_CHECKING:
    from motion324.from_video.run import FromVideo


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "from-video",
        help="make a mesh from a video's first frame, and animate it after the video",
        description="Cuts the object out of VIDEO, makes a mesh of it from the first frame, animates that, and leaves "
        "the products of all stages and index.html, which shows them, in DIR. The same command goes on where it was "
        "stopped: a stage is done again only when something that it depends on has changed. --view counts with "
        "--mesh-provider file only.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video, or a folder of images in natural order")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of the results")
    parser.add_argument("--again", action="store_true", help="do all stages anew")
    add_mesh_options(parser)
    add_job_options(parser)
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run)
    return parser


def add_mesh_options(parser: argparse.ArgumentParser) -> None:
    """Those that say how a mesh is made from a video; mesh_settings_of reads them."""
    add_flags(parser, MeshSettings)


def mesh_settings_of(arguments: argparse.Namespace) -> MeshSettings:
    """Raises Motion324Error("bad-option")."""
    return chosen_of(arguments, MeshSettings, more={"seed": arguments.seed or MeshSettings.seed})


def run(arguments: argparse.Namespace) -> int:
    options = options_of(arguments)
    settings = mesh_settings_of(arguments)
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        from motion324.from_video.run import from_video

        result = from_video(
            arguments.video,
            arguments.output,
            options,
            settings,
            blender=arguments.blender,
            again=arguments.again,
            progress=terminal.progress,
        )
    for warning in result.warnings:
        terminal.warn(warning["sentence"])
    if result.licence:
        terminal.warn(result.licence)
    print(json.dumps(_summary(result), ensure_ascii=False) if arguments.json else _sentence(result))
    return EXIT_OK


def _summary(result: FromVideo) -> dict[str, Any]:
    return {
        "ok": True,
        "output": str(result.folder),
        "frames": result.frames,
        "vertices": result.vertices,
        "seconds": result.seconds,
        "stages_done": [stage.name for stage in result.stages if stage.again],
        "stages_kept": [stage.name for stage in result.stages if not stage.again],
        "licence": result.licence,
        "warnings": list(result.warnings),
    }


def _sentence(result: FromVideo) -> str:
    now = sum(stage.seconds for stage in result.stages if stage.again)
    kept = [stage.name for stage in result.stages if not stage.again]
    there = f" ({', '.join(kept)} were there)" if kept else ""
    page = result.folder / "index.html"
    return f"{result.frames} frames of {result.vertices} vertices in {now:.1f} s{there}: {page}"
