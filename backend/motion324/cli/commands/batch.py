"""Runs `motion324 batch`: a reconstructor over a whole benchmark, or over a list of meshes and videos."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.commands.animate import add_job_options, options_of
from motion324.cli.commands.evaluate import add_scoring_options, check_scoring_options, score_and_report
from motion324.cli.commands.from_video import add_mesh_options, mesh_settings_of
from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.core.mesh_settings import MeshSettings
from motion324.core.options import bad_option

if TYPE_CHECKING:
    from motion324.batch.items import Outcome

GIVEN_MESH, VIDEO_ONLY = "given_mesh", "video_only"  # folders of results, which are kept apart
TITLES = {GIVEN_MESH: "From the given meshes", VIDEO_ONLY: "From the videos alone"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "batch",
        help="animate and score a whole benchmark, or a list",
        description="Animates every item into a folder of its own below DIR, and scores a benchmark's with its truth. "
        "A batch that was stopped goes on where it was when it is started again. With both --given-mesh and "
        "--video-only, each has its own folder of results, table, --json and --report (FILE_given_mesh, "
        "FILE_video_only) and --renders (DIR/given_mesh, DIR/video_only).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--release", metavar="ROOT", type=Path, help="a benchmark in Motion80's layout")
    source.add_argument("--list", metavar="FILE", type=Path, help='lines such as {"mesh": "a.glb", "video": "a.mp4"}')
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of the results")
    parser.add_argument("--given-mesh", action="store_true", help=f"from the given meshes, into {GIVEN_MESH} (default)")
    parser.add_argument("--video-only", action="store_true", help=f"from the videos alone, into {VIDEO_ONLY}")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="processes; default: 1")
    parser.add_argument("--overlay", action="store_true", help="also keep overlay.mp4 of each item")
    parser.add_argument(
        "--rig",
        choices=("own", "made"),
        default="",
        help="also keep rigged.glb, with keys on own bones or on made ones",
    )
    parser.add_argument("--skip-inference", action="store_true", help="only score what is there")
    parser.add_argument("--skip-evaluation", action="store_true", help="only animate")
    add_mesh_options(parser)
    add_job_options(parser)
    add_scoring_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    terminal = Terminal()
    chosen = [VIDEO_ONLY] if arguments.video_only else []
    if arguments.given_mesh or not chosen:
        chosen.insert(0, GIVEN_MESH)
    failed = 0
    for pipeline in chosen:
        folder = arguments.output / pipeline
        if len(chosen) > 1:
            print(f"{TITLES[pipeline]}:", flush=True)
        if not arguments.skip_inference:
            failed += _animate(arguments, pipeline, folder, terminal)
        if arguments.release and not arguments.skip_evaluation:
            scoring = _scoring(arguments, pipeline, apart=len(chosen) > 1)
            failed += len(score_and_report(scoring, arguments.release, folder, terminal).problems)
    return EXIT_INTERNAL if failed else EXIT_OK


def _scoring(arguments: argparse.Namespace, pipeline: str, apart: bool) -> argparse.Namespace:
    """Those of one pipeline. apart: its files must not be another one's."""
    values = dict(vars(arguments))
    if pipeline == VIDEO_ONLY:
        values["any_topology"] = True  # a mesh that is made never has the truth's vertices
    if apart:
        for key in ("json_file", "report"):
            if path := values[key]:
                values[key] = path.with_name(f"{path.stem}_{pipeline}{path.suffix}")
        if values["renders"]:
            values["renders"] /= pipeline
    return argparse.Namespace(**values)


def _check(arguments: argparse.Namespace) -> None:
    settings = mesh_settings_of(arguments)
    if settings != MeshSettings(seed=settings.seed) and not arguments.video_only:
        raise bad_option("mesh-provider", "and its settings only count with --video-only")
    if arguments.rig and arguments.video_only:
        raise bad_option("rig", "counts with given meshes only; use motion324 rig on what --video-only leaves")
    if not 1 <= arguments.workers <= 256:
        raise Motion324Error(
            "bad-option",
            f"The option workers is {arguments.workers}; it must lie between 1 and 256.",
            f"This machine has {os.cpu_count()} cores.",
            EXIT_USAGE,
        )
    if arguments.list and arguments.skip_inference:
        raise Motion324Error(
            "bad-option",
            "A list has no truth, so that with --skip-inference there is nothing to do.",
            "Give --release, or leave out --skip-inference.",
            EXIT_USAGE,
        )
    if arguments.release and not arguments.skip_evaluation:
        check_scoring_options(arguments)


def _animate(arguments: argparse.Namespace, pipeline: str, folder: Path, terminal: Terminal) -> int:
    """-> how many items failed."""
    from motion324.batch.items import FAILED, listed_items, release_items
    from motion324.batch.run import SUMMARY, run_batch

    def tell(outcome: Outcome) -> None:
        terminal.clear()
        print(outcome.line(), flush=True)

    only = tuple(name for name in arguments.clips.split(",") if name)
    options = options_of(arguments)
    read, source = (release_items, arguments.release) if arguments.release else (listed_items, arguments.list)
    outcomes = run_batch(
        read(source, options, only, mesh_settings_of(arguments) if pipeline == VIDEO_ONLY else None, arguments.rig),
        folder,
        workers=arguments.workers,
        blender=arguments.blender,
        overlay=arguments.overlay,
        progress=terminal.progress,
        on_outcome=tell,
    )
    terminal.clear()
    failed = sum(outcome.status == FAILED for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} items are done: {folder / SUMMARY}")
    return failed
