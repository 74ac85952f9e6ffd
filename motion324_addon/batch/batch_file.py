"""Does many jobs from a file, one after another: goes on after one that fails, and where a batch was stopped."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import bpy

from motion324.core.errors import (
    EXIT_BAD_MESH,
    EXIT_INTERNAL,
    EXIT_OK,
    Motion324Error,
)
from motion324.core.files.exclusive_use import Hold
from motion324.core.files.write_aside import explained_write_errors
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.jobs.job_file import Line, check_inputs_of, numbered_jobs, output_folders, read_lines
from motion324.core.jobs.job_item import JobItem
from motion324.core.jobs.job_record import LOGS, RESULTS, JobRecord, log_name, made_of, size_of
from motion324.core.processes.interruption import look

from ..job import backend
from ..runner_base.state import Problem, problem_of
from ..scene.reading import new_object
from .blocking import ProgressLine, animate_blocking, release
from .item_outputs import keep, losses_of, write_outputs
from .overlay_video import write_overlay_video

NAMED = 8  # objects that a sentence names
OnProgress = Callable[[Any], None]


def main(arguments: Sequence[str]) -> int:
    """Does what the job file says; returns the exit code. Raises Cancelled or KeyboardInterrupt after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="headless.py", description="Animates meshes after videos, without a window.")
    parser.add_argument("jobs", type=Path, help="job file: one JSON object per line")
    parser.add_argument("--again", action="store_true", help="also do items that were done before")
    given = parser.parse_args(arguments)
    return served(lambda: run(given.jobs.resolve(), given.again))


def served(work: Callable[[], int]) -> int:
    """Its exit code; ends the backend behind it. Raises Cancelled or KeyboardInterrupt after Ctrl-C."""
    try:
        return work()
    except Motion324Error as error:
        look()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        backend.stop()


def run(jobs: Path, again: bool = False) -> int:
    """Does the items of the file; each leaves a log in JOBS.logs/, and a line in JOBS.results.jsonl and on stdout.

    Items that an earlier run has done are left out, unless `again`; see motion324.core.jobs.job_record.
    Raises Motion324Error: "bad-job-file", or "in-use" where another batch has this file or an output folder; Cancelled.
    """
    source = bpy.data.filepath
    lines = read_lines(numbered_jobs(jobs), jobs.parent, source)
    logs = jobs.with_name(f"{jobs.stem}{LOGS}")
    with explained_write_errors(logs):
        logs.mkdir(exist_ok=True)

    def made(place: int) -> dict[str, Any] | None:
        item = lines[place].item
        return made_of(item, source) if item else None

    record = JobRecord(jobs.with_name(f"{jobs.stem}{RESULTS}"), [line.text for line in lines], made, again)
    failed = 0
    with contextlib.ExitStack() as held:
        held.enter_context(Hold(record.path, "file of results", is_folder=False))
        for folder in output_folders(line.item for line in lines if line.item):
            _hold(held, folder)
        held.enter_context(record)
        # Those that cannot work come first, so that they are told before anything takes its time.
        for place, line in sorted(enumerate(lines), key=lambda entry: entry[1].problem is None):
            if record.is_done(place):
                continue
            log = logs / log_name(line.number, line.text)
            result = run_logged(line, log, source, f"{place + 1}/{len(lines)}")
            failed += not result["ok"]
            print(record.add(place, {"line": line.number, **result}), flush=True)
            look()
    before = f", {record.done_before} of them before" if record.done_before else ""
    print(f"{len(lines) - failed} of {len(lines)} items done{before}, results in {record.path}", file=sys.stderr)
    return EXIT_INTERNAL if failed else EXIT_OK


def _hold(held: contextlib.ExitStack, folder: Path) -> None:
    """Raises Motion324Error("in-use"). A folder that cannot be written to is only told by the lines that need it."""
    try:
        held.enter_context(Hold(folder, "output folder"))
    except Motion324Error as error:
        if error.code == "in-use":
            raise


def run_logged(
    line: Line, log_path: Path, source: str, label: str, on_progress: OnProgress | None = None
) -> dict[str, Any]:
    """One item; its error is part of the result, unless it comes of Ctrl-C, or of the log: where that has no room, the
    record has none. Raises Cancelled, Motion324Error("disk-full" or "cannot-write").

    on_progress: gets the job's states, in place of a line on stderr.
    """
    began = time.monotonic()
    with explained_write_errors(log_path), log_path.open("w", encoding="utf-8") as log:
        print(line.text, file=log)
        try:
            look()
            if line.problem:
                raise line.problem
            assert line.item is not None
            item = line.item
            found = made_of(item, source)  # before: what changes meanwhile makes the result an old one
            result = {"ok": True, "mesh": item.mesh, "video": item.video}
            result |= _run_item(item, source, log, label, on_progress)
            result |= {"made_of": found, "files": {str(path): size_of(str(path)) for path in item.made()}}
        except Exception as error:
            look()  # what a library or an operator makes of Ctrl-C is no failure of the item
            traceback.print_exc(file=log)
            problem = problem_of(error)
            print(f"{label} failed: {problem.sentence} {problem.hint}", file=sys.stderr)
            result = failed(problem)
        finally:
            release()
        result = {**result, "seconds": round(time.monotonic() - began, 2), "log": str(log_path)}
        print(json.dumps(result, ensure_ascii=False), file=log)
    return result


def failed(problem: Problem) -> dict[str, Any]:
    """An item's result."""
    return {
        "ok": False,
        "code": problem.code,
        "error": problem.sentence,
        "hint": problem.hint,
        "exit_code": problem.exit_code,
    }


def _run_item(
    item: JobItem, source: str, log: TextIO, label: str, on_progress: OnProgress | None = None
) -> dict[str, Any]:
    check_inputs_of(item, source)  # again: earlier lines have written since
    obj = _open_object(item, str(item.path(item.scene)) if item.scene else source)
    with ProgressLine(sys.stderr, f"{label} {item.mesh}") as line, ProgressLine(log) as log_line:

        def show(state: Any) -> None:
            look()
            (on_progress or line.show)(state)
            log_line.show(state)

        options = item.options
        animation = animate_blocking(obj, item.path(item.video), options, show, start=item.start, mode=item.timing)
    for path in item.outputs.values():
        with explained_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    if "overlay" in item.outputs:  # now, while the object is as the job saw it
        write_overlay_video(item.outputs["overlay"], obj, animation, item.path(item.video))
    animation = animation.from_own_pose() if item.own_pose else animation
    for sentence in keep(item, animation):
        print(f"bones: {sentence}", file=log)
    losses = losses_of(item, obj, animation)
    for name, sentences in losses.items():
        print(f"{name}: {' '.join(sentences)}", file=log)
    write_outputs(item, obj, animation)
    return {
        "frames": len(animation.positions),
        "vertices": animation.positions.shape[1],
        "fps": animation.fps,
        "outputs": item.told_outputs(),
        "losses": losses,
        "report": animation.report,
    }


def _open_object(item: JobItem, source: str) -> bpy.types.Object:
    """The item's object, in a file as it was before the item before it. Raises Motion324Error("no-object", ...)."""
    if source:
        try:
            bpy.ops.wm.open_mainfile(filepath=source, load_ui=False)
        except RuntimeError as error:
            sentence = f"'{source}' could not be opened: {said_by_operator(error)}."
            raise Motion324Error("no-object", sentence, "Check 'scene'.", EXIT_BAD_MESH) from error
        if item.mesh in bpy.data.objects:
            return bpy.data.objects[item.mesh]
        if not item.path(item.mesh).exists():
            raise Motion324Error(
                "no-object",
                f"'{source}' has no object '{item.mesh}', and there is no mesh file of that name.",
                f"It has {_meshes_there()}.",
                EXIT_BAD_MESH,
            )
    bpy.ops.wm.read_homefile(use_empty=True)
    return new_object.import_mesh(item.path(item.mesh))


def _meshes_there() -> str:
    names = sorted(obj.name for obj in bpy.data.objects if obj.type == "MESH")
    if not names:
        return "no mesh at all"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:NAMED]) + more
