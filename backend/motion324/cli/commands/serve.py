"""Runs `motion324 serve`, the backend process that Blender starts."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.core.jobs.job_plan import OnPlan, unplanned
from motion324.core.options.animate_options import bad_option
from motion324.core.processes.interruption import waited
from motion324.core.processes.machine import check_memory
from motion324.core.progress import OnMatch, unmatched

if TYPE_CHECKING:
    from motion324.core.progress import Progress
    from motion324.core.result import AnimationResult, Examination, MadeMesh
    from motion324.core.rigs.rig import RiggedMotion
    from motion324.reconstructors.interface import FrameBatch
    from motion324.wire.protocol import AnimateRequest, ExamineRequest, MeshRequest, RigRequest

log = logging.getLogger(__name__)

_KERNELS = "motion324.reconstructors.deformation_fit.reconstructor"
MAX_HEARTBEAT = 1e6  # seconds
_loading = threading.Lock()


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "serve",
        help="run jobs for Blender or another program",
        description="Runs animation jobs that come over a socket. The session's secret comes in the environment "
        "variable MOTION324_TOKEN. Prints one line of JSON when it is ready. Started by hand it lives until it is "
        "stopped with Ctrl-C. Files that clients send are kept in the temporary folder (TMPDIR) until ten minutes "
        "after their last use.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="auto", help="address, unix:PATH, or auto: only for this machine (default)")
    parser.add_argument("--port", type=int, default=0, help="0 (default): the system chooses")
    parser.add_argument("--log", metavar="FILE", type=Path, help="log file; default: the user's folder for logs")
    parser.add_argument("--parent", metavar="PID", type=int, help="end when this process ends")
    parser.add_argument(
        "--heartbeat",
        metavar="SECONDS",
        type=float,
        help="end when no client has been heard for so long; 0: live until stopped; default: 120 with --parent, else 0",
    )
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from motion324.server.server import serve
    from motion324.wire.handshake import take_token_from_environment

    return serve(
        run_job,
        examine=examine,
        make_mesh=make_mesh,
        rig=rig,
        describe=describe,
        unload=unload,
        rest=rest,
        token=take_token_from_environment(),
        host=arguments.host,
        port=arguments.port,
        log_path=arguments.log,
        parent_pid=arguments.parent,
        heartbeat_timeout=heartbeat_timeout(arguments.heartbeat, arguments.parent),
    )


def heartbeat_timeout(given: float | None, parent: int | None) -> float | None:
    """Seconds without a client after which the backend ends; None: it lives until it is stopped.

    Raises Motion324Error("bad-option").
    """
    from motion324.server.server import HEARTBEAT_TIMEOUT

    if given is None:
        return None if parent is None else HEARTBEAT_TIMEOUT
    if not 0 <= given <= MAX_HEARTBEAT:
        raise bad_option("heartbeat", f"is {given:g}; it must lie between 0 and {MAX_HEARTBEAT:g} seconds")
    return given or None


def run_job(
    request: AnimateRequest,
    progress: Progress,
    on_frames: Callable[[FrameBatch], None],
    on_plan: OnPlan = unplanned,
    on_match: OnMatch = unmatched,
) -> AnimationResult:
    load_libraries(progress)
    from motion324.pipeline.animate import animate
    from motion324.pipeline.refine import refine

    mesh, video, options, pins = request.mesh, request.video, request.options, request.pins
    if request.last is not None and pins is not None:
        return refine(mesh, video, options, request.last, pins, progress=progress, on_frames=on_frames)
    return animate(
        mesh, video, options, progress=progress, on_frames=on_frames, on_plan=on_plan, on_match=on_match, pins=pins
    )


def examine(request: ExamineRequest, progress: Progress) -> Examination:
    load_libraries(progress)
    from motion324.pipeline import examine as examination

    return examination.examine(request.video, request.options, request.mesh, progress=progress)


def make_mesh(request: MeshRequest, progress: Progress) -> MadeMesh:
    load_libraries(progress)
    from motion324.pipeline.examine import make_first_mesh

    return make_first_mesh(request.video, request.options, request.settings, progress=progress)


def rig(request: RigRequest, progress: Progress) -> RiggedMotion:
    check_memory()
    from motion324.rigging.rig import rig_trajectory

    return rig_trajectory(
        request.positions, request.faces, request.settings, request.armature, request.skin, progress=progress
    )


def load_libraries(progress: Progress) -> None:
    """Imports, on one thread, all that compiles or is compiled, and the network that finds the foreground.

    Raises Motion324Error("too-little-memory"), Cancelled; the loading goes on then, for the next job.
    """
    check_memory()
    waited(_load_libraries, lambda: progress("read", 0, 0))


def _load_libraries() -> None:
    with _loading:
        try:
            from motion324.video.foreground.saliency import load_network

            load_network()
        except Exception as error:  # clips that do not need it go on; one that does meets this again
            log.warning("the foreground network cannot be loaded: %s", error)
        for name in (
            "motion324.pipeline.examine",
            "motion324.pipeline.animate",
            _KERNELS,
        ):
            importlib.import_module(name)


def describe() -> dict[str, Any]:
    """What Blender's panel and `Client.status` show."""
    from motion324.core.processes.machine import device_name, peak_memory, total_memory
    from motion324.reconstructors.registry import loaded_reconstructors

    places = loaded_reconstructors()
    return {
        "device": device_name(),
        "memory": {"peak": peak_memory(), "machine": total_memory()},
        "reconstructors": list(places),
        "places": places,
    }


def rest() -> None:
    """Drops the network that finds the foreground and the compact model, which are loaded again within a second or
    two."""
    if "motion324.video.foreground.saliency" in sys.modules:
        sys.modules["motion324.video.foreground.saliency"].load_network.cache_clear()
    if "motion324.reconstructors.node_model.opening" in sys.modules:
        sys.modules["motion324.reconstructors.node_model.opening"].forget_model()


def unload(keep_on_cpu: bool) -> None:
    from motion324.reconstructors.registry import unload_reconstructors

    unload_reconstructors(keep_on_cpu=keep_on_cpu)
