"""Runs `motion324 batch`: the items of a job file, here or on a cluster; or a reconstructor over a whole benchmark, or
over a list of meshes and videos.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import motion324
from motion324.cli.commands.animate import add_job_options, options_of
from motion324.cli.commands.evaluate import add_scoring_options, check_scoring_options, score_and_report
from motion324.cli.commands.from_video import add_mesh_options, mesh_settings_of
from motion324.cli.commands.rig import rig_settings_of
from motion324.cli.option_flags import add_flags
from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Cancelled, Motion324Error
from motion324.core.options.animate_options import bad_option
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.rig_settings import RigSettings

if TYPE_CHECKING:
    from motion324.batches.items import Outcome

GIVEN_MESH, VIDEO_ONLY = "given_mesh", "video_only"  # folders of results, which are kept apart
TITLES = {GIVEN_MESH: "From the given meshes", VIDEO_ONLY: "From the videos alone"}
MOST_WORKERS = 256


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "batch",
        help="do the items of a job file, here or on a cluster; or animate and score a whole benchmark, or a list",
        description="With JOBS, does each line of that job file, as headless.py does in Blender: a log of each is in "
        "JOBS.logs/, its result in JOBS.results.jsonl and on stdout. With --release or --list, animates every item "
        "into a folder of its own below DIR, and scores a benchmark's with its truth. A batch that was stopped goes on "
        "where it was when it is started again. With both --given-mesh and --video-only, each has its own folder of "
        "results, table, --json and --report (FILE_given_mesh, FILE_video_only) and --renders (DIR/given_mesh, "
        "DIR/video_only).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("jobs", metavar="JOBS", type=Path, nargs="?", help="a job file: one JSON object a line")
    source.add_argument("--release", metavar="ROOT", type=Path, help="a benchmark in Motion80's layout")
    source.add_argument("--list", metavar="FILE", type=Path, help='lines such as {"mesh": "a.glb", "video": "a.mp4"}')
    source.add_argument("--schema", action="store_true", help="print the JSON Schema of a job file's line")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder of the results; not with JOBS")
    parser.add_argument("--given-mesh", action="store_true", help=f"from the given meshes, into {GIVEN_MESH} (default)")
    parser.add_argument("--video-only", action="store_true", help=f"from the videos alone, into {VIDEO_ONLY}")
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="processes here, or with --ray workers at the most; default: 1, or as many as the cluster holds",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const="auto",
        help="do the items of JOBS on a Ray cluster: auto for the one that this machine belongs to, or HOST:PORT",
    )
    parser.add_argument("--retries", metavar="N", type=int, default=2, help="of an item whose worker dies; default: 2")
    parser.add_argument("--again", action="store_true", help="also do items of JOBS that were done before")
    parser.add_argument("--scene", metavar="BLEND", type=Path, help="the .blend whose objects lines of JOBS name")
    parser.add_argument("--overlay", action="store_true", help="also keep overlay.mp4 of each item; not with JOBS")
    parser.add_argument(
        "--rig",
        choices=("own", "made"),
        default="",
        help="also keep rigged.glb, with keys on own bones or on made ones; not with JOBS",
    )
    parser.add_argument("--skip-inference", action="store_true", help="only score what is there")
    parser.add_argument("--skip-evaluation", action="store_true", help="only animate")
    add_flags(parser.add_argument_group("keyframes on bones, with --rig"), RigSettings)
    add_mesh_options(parser)
    add_job_options(parser)
    add_scoring_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        from motion324.core.jobs.job_schema import job_schema

        print(json.dumps(job_schema(), indent=2))
        return EXIT_OK
    if arguments.jobs:
        return _run_jobs(arguments)
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


def _run_jobs(arguments: argparse.Namespace) -> int:
    from motion324.cli.batch_screen import BatchScreen

    for name in ("output", "given_mesh", "video_only", "overlay", "rig", "skip_inference", "skip_evaluation"):
        if getattr(arguments, name) or (name == "rig" and rig_settings_of(arguments) != RigSettings()):
            raise bad_option(name.replace("_", "-"), "does not go with a job file, whose lines say what is written")
    screen = BatchScreen()
    try:
        summary = motion324.batch(
            arguments.jobs,
            workers=arguments.workers,
            ray=arguments.ray,
            options=options_of(arguments),
            scene=arguments.scene,
            again=arguments.again,
            retries=arguments.retries,
            blender=arguments.blender,
            watcher=screen,
        )
    except (Cancelled, KeyboardInterrupt):
        screen.clear()
        print("stopped; the same command goes on where it was", file=sys.stderr)
        raise
    finally:
        screen.clear()
    before = f", {summary.kept} of them before" if summary.kept else ""
    done = summary.total - summary.failed
    print(f"{done} of {summary.total} items done{before}, results in {summary.record}", file=sys.stderr)
    return EXIT_INTERNAL if summary.failed else EXIT_OK


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
    for name in ("ray", "again", "scene"):
        if getattr(arguments, name):
            raise bad_option(name, "only goes with a job file")
    if arguments.output is None:
        raise bad_option("output", "is missing; name the folder of the results with -o DIR")
    if not 0 <= arguments.retries <= 100:
        raise bad_option("retries", f"is {arguments.retries}; it must lie between 0 and 100")
    settings_of_rig = rig_settings_of(arguments)
    if settings_of_rig != RigSettings() and not (arguments.rig or arguments.list):
        raise bad_option("rig", "is missing, with which settings of keyframes on bones count")
    if arguments.rig and not arguments.list:
        settings_of_rig.check_counts(with_given=arguments.rig == "own")
    if arguments.rig and arguments.video_only:
        raise bad_option("rig", "counts with given meshes only; use motion324 rig on what --video-only leaves")
    if arguments.workers is not None and not 1 <= arguments.workers <= MOST_WORKERS:
        raise Motion324Error(
            "bad-option",
            f"The option workers is {arguments.workers}; it must lie between 1 and {MOST_WORKERS}.",
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
    from motion324.batches.folders import SUMMARY, run_batch
    from motion324.batches.items import FAILED, listed_items, release_items

    def tell(outcome: Outcome) -> None:
        terminal.clear()
        print(outcome.line(), flush=True)

    only = tuple(name for name in arguments.clips.split(",") if name)
    options = options_of(arguments)
    read, source = (release_items, arguments.release) if arguments.release else (listed_items, arguments.list)
    made = mesh_settings_of(arguments) if pipeline == VIDEO_ONLY else None
    outcomes = run_batch(
        read(source, options, only, made, arguments.rig, rig_settings_of(arguments)),
        folder,
        workers=arguments.workers or 1,
        blender=arguments.blender,
        overlay=arguments.overlay,
        progress=terminal.progress,
        on_outcome=tell,
        retries=arguments.retries,
    )
    terminal.clear()
    failed = sum(outcome.status == FAILED for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} items are done: {folder / SUMMARY}")
    return failed
