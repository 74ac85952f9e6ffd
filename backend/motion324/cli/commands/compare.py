"""`motion324 compare`: which of two evaluations is better, and whether that is more than chance."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.core.errors import EXIT_OK

if TYPE_CHECKING:
    from motion324.evaluation.comparison import Comparison


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compare",
        help="tell which of two evaluations is better",
        description="Compares two files of `motion324 evaluate --json`, clip by clip, with a paired bootstrap.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", metavar="A.json", type=Path)
    parser.add_argument("second", metavar="B.json", type=Path)
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from motion324.evaluation.comparison import compare
    from motion324.evaluation.results import read_json

    found = compare(read_json(arguments.first), read_json(arguments.second))
    if arguments.json:
        print(json.dumps({"ok": True, **dataclasses.asdict(found)}, ensure_ascii=False))
    else:
        print("\n".join(_lines(found, arguments.first.stem, arguments.second.stem)))
    return EXIT_OK


def _lines(found: Comparison, first: str, second: str) -> list[str]:
    from motion324.evaluation.comparison import FEWEST_CLIPS
    from motion324.evaluation.table import METRICS, number

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
