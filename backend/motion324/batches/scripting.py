"""Is the API for scripts: `motion324.animate` and `motion324.batch`, which the commands use themselves.

    import motion324

    result = motion324.animate("fox.glb", "fox.mp4", {"quality": "draft"}, output="out/fox")
    result.positions  # (T, N, 3) float32, the mesh file's coordinates and order

    summary = motion324.batch("jobs.jsonl", workers=4)
    summary = motion324.batch([{"mesh": "fox.glb", "video": "fox.mp4", "outputs": {"npz": "fox.npz"}}], ray="auto")
    assert not summary.failed, summary.record

Importing it costs no PyTorch and no Ray; what a job needs is imported by the job.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.core.errors import Motion324Error
from motion324.core.jobs.job_plan import OnPlan, unplanned
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.option_group import bad_option
from motion324.core.processes.interruption import look
from motion324.core.progress import Progress, silent

if TYPE_CHECKING:
    from motion324.batches.executor import Executor, Running
    from motion324.batches.jobs import JobFile
    from motion324.batches.watcher import BatchSummary, Counts, Watcher
    from motion324.core.clip import VideoClip
    from motion324.core.reference_mesh import ReferenceMesh
    from motion324.core.result import AnimationResult

Options = AnimateOptions | Mapping[str, object]
MOST_WORKERS = 256
RETRIES = 2


def animate(
    mesh: str | Path | ReferenceMesh,
    video: str | Path | VideoClip,
    options: Options | None = None,
    *,
    output: str | Path | None = None,
    overlay: bool = False,
    cutouts: bool = False,
    blender: str | Path | None = None,
    progress: Progress = silent,
    on_plan: OnPlan = unplanned,
) -> AnimationResult:
    """Moves the mesh as the video shows it moving, and returns where every vertex is in every frame.

    mesh: a file (.glb, .gltf, .obj, .ply, .stl; .fbx and .blend through Blender), or what one was read as. video: a
    file, a folder of images, or frames. options: as on the command line, such as {"quality": "draft"}.
    output: a folder for trajectory.npz, animation.pc2 and report.json, with the overlay and cutouts where these are
    wanted; all of them are there at the end, or none.
    progress: called with (stage, done, total); what it raises stops the job. on_plan: gets the job's plan.
    Raises Motion324Error, which says what is wrong with mesh, video, options or folder.
    """
    from motion324.core.files.input_files import check_inputs_stay, inputs_of_job
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate as animate_by_pipeline
    from motion324.trajectories.result_files import KeepOptions

    chosen = _options(options)
    film = Path(video) if isinstance(video, str | Path) else video
    keep = KeepOptions(Path(output), cutouts=cutouts, overlay=overlay) if output is not None else None
    if keep and isinstance(film, Path):
        named = Path(mesh) if isinstance(mesh, str | Path) else None
        check_inputs_stay(keep.files(), inputs_of_job(named, film, chosen))
    if isinstance(mesh, str | Path):
        progress("read", 0, 1)
        mesh = read_mesh(mesh, blender=Path(blender) if blender else None, progress=progress)
    return animate_by_pipeline(mesh, film, chosen, progress=progress, on_plan=on_plan, keep=keep)


def batch(
    jobs: str | Path | Iterable[Mapping[str, Any]],
    *,
    workers: int | None = None,
    ray: str | None = None,
    options: Options | None = None,
    scene: str | Path | None = None,
    beside: str | Path = "batch",
    again: bool = False,
    retries: int = RETRIES,
    blender: str | Path | None = None,
    on_result: Callable[[dict[str, Any]], None] | None = None,
    watcher: Watcher | None = None,
) -> BatchSummary:
    """Does all items of a job file, or of lines that are given as mappings; goes on where it was stopped.

    workers: None does them in this process, a number in so many processes, or on so many workers of the cluster.
    ray: "auto" for the cluster that this machine belongs to, or its address; None for none.
    options: for items that do not say their own. scene: the .blend of items whose mesh is an object of one.
    beside: where lines that are no file have their record and logs, `beside`.results.jsonl and `beside`.logs; their
    paths are relative to the folder of it.
    again: does also what was done before. retries: how often an item runs again whose worker was lost.
    on_result: gets each item's result as it ends, as the record has it; watcher: more of what happens.
    An item that fails stops nothing: the summary counts it, and the record says why.
    Raises Motion324Error: "bad-job-file", "bad-option", "in-use" where another batch is at work there,
    "blender-not-found" where items need one, "ray-missing", "ray-unreachable"; Cancelled.
    """
    from motion324.batches.jobs import run_jobs

    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise bad_option("workers", f"is {workers}; it must lie between 1 and {MOST_WORKERS}")
    if not 0 <= retries <= 100:
        raise bad_option("retries", f"is {retries}; it must lie between 0 and 100")
    chosen = _given(options)
    file = _job_file(jobs, Path(beside), chosen, Path(scene) if scene else None)
    named = Path(blender) if blender else None
    executor, prepare = _executor(workers, ray, named, file)
    return run_jobs(
        file,
        executor,
        watcher or _Quiet(on_result),
        again=again,
        retries=retries,
        blender=named,
        prepare=prepare,
    )


class _Quiet:
    """A Watcher that hands results on."""

    def __init__(self, on_result: Callable[[dict[str, Any]], None] | None) -> None:
        self._on_result = on_result

    def show(self, counts: Counts, running: list[Running], workers: dict[str, int]) -> None:
        look()

    def ended(self, result: dict[str, Any]) -> None:
        if self._on_result:
            self._on_result(result)


def _options(options: Options | None) -> AnimateOptions:
    return options if isinstance(options, AnimateOptions) else AnimateOptions.of(options or {})


def _given(options: Options | None) -> dict[str, Any]:
    """Those that are not the defaults, as a line of a job file has them."""
    chosen, usual = _options(options), AnimateOptions()
    return {name: value for name, value in chosen.to_dict().items() if value != getattr(usual, name)}


def _job_file(
    jobs: str | Path | Iterable[Mapping[str, Any]], beside: Path, options: dict[str, Any], scene: Path | None
) -> JobFile:
    from motion324.batches.jobs import JobFile

    options = AnimateOptions.from_dict(options).located(Path.cwd()).to_dict() if options else {}
    usual = AnimateOptions().to_dict()
    options = {name: value for name, value in options.items() if value != usual[name]}
    if isinstance(jobs, str | Path):
        return JobFile.read(Path(jobs), options, scene)
    beside = beside.resolve()
    lines = [(number, json.dumps(dict(line), default=str)) for number, line in enumerate(jobs, 1)]
    return JobFile.of(lines, beside.parent, beside.with_name(beside.name + ".jsonl"), options, scene)


def _executor(
    workers: int | None, ray: str | None, blender: Path | None, jobs: JobFile
) -> tuple[Executor, Callable[[bool], None]]:
    """With what is called before any work, told whether an item needs Blender."""
    from motion324.batches.here import Here
    from motion324.batches.processes import Processes
    from motion324.core.files.exclusive_use import Hold

    if ray is not None:
        from motion324.batches.ray_cluster import RayCluster

        lock = Hold(jobs.record, "file of results", is_folder=False).lock_path
        cluster = RayCluster(ray, limit=workers, blender=blender, lock=lock)
        return cluster, cluster.check_blender

    def check(needs_blender: bool) -> None:
        from motion324.blender.blender_reading import blender_to_write

        if needs_blender:
            try:
                blender_to_write(jobs.beside, blender)
            except Motion324Error as error:
                sentence = f"Items of '{jobs.beside.name}' need Blender: {error.sentence}"
                raise Motion324Error(error.code, sentence, error.hint, error.exit_code) from error

    return (Here() if workers is None else Processes(workers)), check
