"""`motion324 refine`: a result corrected by pins, in seconds, since only the frames around them are fitted again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.commands.animate import summary_of
from motion324.cli.option_flags import add_flags, chosen_of
from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_OK, Motion324Error
from motion324.core.files.input_files import InputFile, check_inputs_stay
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.option_group import bad_option
from motion324.core.options.option_spec import OptionSpec

if TYPE_CHECKING:
    from motion324.core.result import AnimationResult
    from motion324.trajectories.result_reading import FoundResult

COUNTING = ("mask", "quality", "seed", "pins")  # the options that a correction looks at


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "refine",
        help="correct a result by pins",
        description="Fits the frames around the pins of FILE.json again, from a result of MESH and VIDEO, and leaves "
        "trajectory.npz, animation.pc2 and report.json in DIR; all other frames stay as they are. Options that are "
        "not given are those of the result's report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mesh", metavar="MESH", type=Path, help="the mesh that was animated")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="the video that it was animated after")
    parser.add_argument(
        "result", metavar="RESULT", type=Path, help="the folder of `motion324 animate`, or its trajectory.npz"
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of the new result")
    add_flags(parser, AnimateOptions, _counts)
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run)
    return parser


def _counts(spec: OptionSpec) -> bool:
    return spec.name in COUNTING


def run(arguments: argparse.Namespace) -> int:
    chosen_of(arguments, AnimateOptions, _counts)  # wrong values are told first
    if not arguments.pins:
        raise bad_option("pins", "is missing; it must name a JSON file")
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        result = _refine(arguments, terminal)
    for warning in result.report["warnings"]:
        terminal.warn(warning["sentence"])
    print(json.dumps(summary_of(arguments, result), ensure_ascii=False) if arguments.json else _told(arguments, result))
    return EXIT_OK


def _refine(arguments: argparse.Namespace, terminal: Terminal) -> AnimationResult:
    from motion324.core.motion.pins import read_pins
    from motion324.core.result import AnimationResult
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.refine import refine
    from motion324.trajectories.result_files import KeepOptions
    from motion324.trajectories.result_reading import check_is_first_frame, read_result

    pins = read_pins(Path(arguments.pins).expanduser())
    found = read_result(arguments.result)
    options = options_of(arguments, found)
    keep = KeepOptions(arguments.output)
    inputs = {"mesh": arguments.mesh, "video": arguments.video, "trajectory": found.path, "pins": Path(arguments.pins)}
    inputs |= options.files()
    check_inputs_stay(keep.files(), [InputFile(kind, path) for kind, path in inputs.items()])
    terminal.progress("read", 0, 1)
    mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    before = found.trajectory
    check_is_first_frame(mesh, arguments.mesh, before, found.path)
    last = AnimationResult(
        before.positions, before.frame_numbers, before.fps, before.view, found.report, before.camera_to_first
    )
    return refine(mesh, arguments.video, options, last, pins, progress=terminal.progress, keep=keep)


def options_of(arguments: argparse.Namespace, found: FoundResult) -> AnimateOptions:
    """Those that were given, and the report's for the rest. Raises Motion324Error("bad-option")."""
    before = found.report.get("options")
    reported = {name: value for name, value in before.items() if name in COUNTING} if isinstance(before, dict) else {}
    try:
        AnimateOptions.from_dict(reported)
    except Motion324Error:  # of another version, or not ours
        reported = {}
    given = {name: value for name in COUNTING if (value := getattr(arguments, name)) is not None}
    return AnimateOptions.of({**reported, **given})


def _told(arguments: argparse.Namespace, result: AnimationResult) -> str:
    told = result.report["pins"]
    pins = f"{told['given']} pin{'' if told['given'] == 1 else 's'}"
    return (
        f"{len(told['frames'])} of {len(result.positions)} frames fitted again after {pins} in "
        f"{result.report['seconds']['total']:.1f} s, points missed by {told['largest_miss']:.1f} pixels at most: "
        f"{arguments.output}"
    )
