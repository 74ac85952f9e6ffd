"""`motion324 doctor`: whether this installation can work."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from motion324.core.errors import EXIT_INTERNAL, EXIT_OK


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "doctor",
        help="look whether this installation can work",
        description="Looks at versions, device, memory, the bundled model, Blender and folders.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.add_argument("--json", action="store_true", help="findings as JSON on stdout")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from motion324.cli.doctor import Verdict, examine

    findings = examine(arguments.blender)
    healthy = all(finding.verdict is not Verdict.PROBLEM for finding in findings)
    if arguments.json:
        listed = [
            {"subject": f.subject, "verdict": f.verdict.value, "text": f.text, "remedy": f.remedy} for f in findings
        ]
        print(json.dumps({"ok": healthy, "findings": listed}, ensure_ascii=False))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            mark = "" if finding.verdict is Verdict.FINE else f"{finding.verdict.value}: "
            print(f"{finding.subject:{width}}  {mark}{finding.text}{'. ' + finding.remedy if finding.remedy else ''}")
        print("Everything that is needed works." if healthy else "Something that is needed does not work.")
    return EXIT_OK if healthy else EXIT_INTERNAL
