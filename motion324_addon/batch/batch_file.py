"""Does many jobs from a file, one after another: goes on after one that fails, and where a batch was stopped."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import bpy
import numpy as np

from motion324.core.errors import (
    EXIT_BAD_MESH,
    EXIT_CANNOT_WRITE,
    EXIT_INTERNAL,
    EXIT_OK,
    Motion324Error,
)
from motion324.core.exclusive_use import Hold
from motion324.core.interruption import look
from motion324.core.job_file import Line, check_inputs_of, numbered_jobs, output_folders, read_lines
from motion324.core.job_item import BONES, POINT_CACHE, JobItem
from motion324.core.job_record import LOGS, RESULTS, JobRecord, log_name, made_of, size_of
from motion324.core.result import AnimationResult
from motion324.core.trajectory_file import save_trajectory
from motion324.core.write_aside import explained_write_errors

from ..job import backend, keeping_bones
from ..job.rig_request import waited_for
from ..running.state import problem_of
from ..scene.exporting import engine_rig, export, export_formats, export_size, proof, rig_export, vertex_textures
from ..scene.playing import keeping
from ..scene.playing.animation import Animation
from ..scene.reading import new_object
from ..scene.reading.new_object import said_by_operator
from ..scene.showing import turntable
from ..settings import preferences
from .blocking import ProgressLine, animate_blocking, release
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

    Items that an earlier run has done are left out, unless `again`; see motion324.core.job_record.
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
    """One item; its error is part of the result, unless it comes of Ctrl-C. Raises Cancelled.

    on_progress: gets the job's states, in place of a line on stderr.
    """
    began = time.monotonic()
    with log_path.open("w", encoding="utf-8") as log:
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
            result = {
                "ok": False,
                "code": problem.code,
                "error": problem.sentence,
                "hint": problem.hint,
                "exit_code": problem.exit_code,
            }
        finally:
            release()
        result = {**result, "seconds": round(time.monotonic() - began, 2), "log": str(log_path)}
        print(json.dumps(result, ensure_ascii=False), file=log)
    return result


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
    for sentence in _keep(item, animation):
        print(f"bones: {sentence}", file=log)
    losses = _losses(item, obj, animation)
    for name, sentences in losses.items():
        print(f"{name}: {' '.join(sentences)}", file=log)
    _write_outputs(item, obj, animation)
    return {
        "frames": len(animation.positions),
        "vertices": animation.positions.shape[1],
        "fps": animation.fps,
        "outputs": item.told_outputs(),
        "losses": losses,
        "report": animation.report,
    }


def _losses(item: JobItem, obj: bpy.types.Object, animation: Animation) -> dict[str, list[str]]:
    """What formats among the outputs cannot carry of the object, in sentences."""
    first, _ = animation.timing.whole_frames
    kinds = [name for name in item.outputs if f".{name}" in export_formats.FORMATS]
    told = {name: list(export_formats.losses(obj, f".{name}", first)) for name in kinds}
    return {name: sentences for name, sentences in told.items() if sentences}


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


def _keep(item: JobItem, animation: Animation) -> tuple[str, ...]:
    """What is to be told of it."""
    scene = bpy.context.scene
    first, last = animation.timing.whole_frames
    scene.frame_start, scene.frame_end = first, last
    if item.keep == POINT_CACHE:
        _save(item.outputs["blend"])  # so that the .blend finds the cache beside itself, wherever both are moved
        keeping.keep_as_point_cache(animation)
    elif item.keep in BONES:
        wish = keeping_bones.Wish(item.keep, item.rig, preferences.connection())
        kept = waited_for(keeping_bones.keep([animation], wish))
        return (kept.said, *kept.warnings)
    else:
        for _ in keeping.keep_as_shape_keys(animation):
            look()
    return ()


def _write_outputs(item: JobItem, obj: bpy.types.Object, animation: Animation) -> None:
    first, last = animation.timing.whole_frames
    for name, path in item.outputs.items():
        look()
        if name == "blend":
            _save(path, backup=item.keep != POINT_CACHE)  # there, _keep has saved it before
        elif name == "overlay":
            continue  # written before
        elif name == "npz":
            write_trajectory(path, obj, animation)
        elif name == "rig" and item.engine is not None:
            engine_rig.export_for_engine(obj, path, first, last, item.engine, item.edits)
        elif name == "rig":
            rig_export.export_rig(obj, path, first, last)
        elif name == "turntable":
            for _ in turntable.render_turntable(obj, path, first, last, item.turntable):
                look()
        elif name == "vat":
            vertex_textures.export_vertex_textures(obj, path, first, last, item.vat)
        else:
            export.export(obj, path, first, last, lambda done, total: look())


def _save(path: Path, backup: bool = True) -> None:
    """backup: whether a file that is there becomes a .blend1, as Blender does it.

    Raises Motion324Error("disk-full" or "cannot-write"); what was there before is there then.
    """
    settings = bpy.context.preferences.filepaths
    versions = settings.save_version
    proof.reserve(path, path.with_name(f".{path.name}.{os.getpid()}.reserved"), export_size.of_blend())
    try:
        with proof.given_back(path):
            if not backup:
                settings.save_version = 0
            bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
            proof.check_whole(path)
    except (RuntimeError, proof.Broken, OSError) as error:
        why = said_by_operator(error) if isinstance(error, RuntimeError) else str(error)
        if isinstance(error, proof.Broken):
            why = f"what was written {why}"
        if why in ("Success", "No such file or directory", "Unknown error writing blend-file"):
            why = "Blender gives no reason, which often is a full disk"  # these are what is left of it by then
        raise Motion324Error(
            "cannot-write", f"'{path}' could not be saved: {why}.", "Choose another folder.", EXIT_CANNOT_WRITE
        ) from error
    finally:
        settings.save_version = versions


def write_trajectory(path: Path, obj: bpy.types.Object, animation: Animation) -> None:
    """Writes `trajectory.npz`, see `motion324.core.trajectory_file`: object space, Blender's vertex order.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    mesh = obj.data
    mesh.calc_loop_triangles()
    faces = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces.ravel())
    result = AnimationResult(
        animation.positions,
        animation.frame_numbers,
        animation.fps,
        animation.view,
        animation.report,
        animation.camera_to_first,
    )
    save_trajectory(path, result, faces)
