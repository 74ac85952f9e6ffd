"""Reads FBX and .blend files as a ReferenceMesh, through a Blender process: the backend itself never loads bpy."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.checks import bad_mesh
from motion324.mesh.textures import LONGEST_SIDE

log = logging.getLogger(__name__)

TIME_LIMIT = 300.0  # seconds; a file that takes longer is not one animated object
ENVIRONMENT_VARIABLE = "MOTION324_BLENDER"


def read_through_blender(path: Path, blender: Path | None = None, progress: Progress = silent) -> ReferenceMesh:
    """All visible mesh objects, evaluated at the file's current frame, in world space with Z up.

    Objects come in the file's order, one after the other. blender: see find_blender.
    Raises Motion324Error: blender-not-found, mesh-unreadable (with Blender's own words), mesh-empty.
    """
    executable = find_blender(blender)
    if executable is None:
        raise bad_mesh(
            "blender-not-found",
            f"Reading '{path}' needs Blender, which was not found.",
            f"Install Blender or set {ENVIRONMENT_VARIABLE} to its executable, or convert the mesh to GLB.",
        )
    with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
        target = Path(folder) / "mesh.npz"
        _run(executable, path, target, progress)
        with np.load(target, allow_pickle=False) as arrays:
            return _mesh(path, dict(arrays))


def blender_script(name: str) -> Path:
    """The script of this room that runs inside Blender."""
    return Path(__file__).with_name(name)


def find_blender(preferred: Path | None = None) -> Path | None:
    """Blender's executable, or a Python that has bpy: `preferred`, else the variable MOTION324_BLENDER, else `blender`
    on the PATH, else where installers put it. None: there is none. A name that is given but missing raises
    Motion324Error("blender-not-found")."""
    named = preferred or (Path(value) if (value := os.environ.get(ENVIRONMENT_VARIABLE)) else None)
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise bad_mesh(
                "blender-not-found",
                f"The Blender executable '{named}' does not exist or cannot be run.",
                f"Set {ENVIRONMENT_VARIABLE} to the executable of Blender.",
            )
        return Path(found)
    found = shutil.which("blender")
    if found is not None:
        return Path(found)
    installed = [Path("/Applications/Blender.app/Contents/MacOS/Blender")]
    if sys.platform == "win32":
        programs = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
        installed += sorted(programs.glob("Blender Foundation/Blender */blender.exe"), reverse=True)
    return next((executable for executable in installed if executable.exists()), None)


def blender_to_write(target: Path, preferred: Path | None = None) -> Path:
    """The Blender that writes `target`. Raises Motion324Error("blender-not-found")."""
    executable = find_blender(preferred)
    if executable is None:
        raise bad_mesh(
            "blender-not-found",
            f"Writing '{target}' needs Blender, which was not found.",
            "Install Blender, or name its executable with --blender or in MOTION324_BLENDER.",
        )
    return executable


def _run(executable: Path, source: Path, target: Path, progress: Progress) -> None:
    run_in_blender(
        executable,
        blender_script("blender_export_script.py"),
        [str(source.resolve()), str(target), str(LONGEST_SIDE)],
        source,
        progress,
    )
    if not target.exists():
        raise unreadable_by_blender(source, "it wrote nothing")


def run_in_blender(
    executable: Path,
    script: Path,
    arguments: list[str],
    source: Path,
    progress: Progress,
    time_limit: float | None = None,
) -> None:
    """Runs one of our scripts in Blender, or in a Python with bpy, and waits; `source` is the file that it reads.

    time_limit: seconds after which the process is killed; TIME_LIMIT if None. progress is called with ("read", 0, 1)
    meanwhile.

    A script prints `motion324-warning: SENTENCE`, which is logged, and ends with another code than 0 after
    `motion324-error: SENTENCE`. Raises Motion324Error("mesh-unreadable" or "blender-not-found").
    """
    if executable.stem.lower().startswith("python"):
        command = [str(executable), "-I", str(blender_script("blender_launcher.py")), "--", str(script), *arguments]
    else:
        options = ["--background", "--factory-startup", "--disable-autoexec", "-noaudio", "--python-exit-code", "3"]
        command = [
            str(executable),
            *options,
            "--python",
            str(blender_script("blender_launcher.py")),
            "--",
            str(script),
            *arguments,
        ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    output, code = _output(command, environment, executable, source, progress, time_limit or TIME_LIMIT)
    log.debug("Blender's output for %s:\n%s", source, output)
    lines = output.splitlines()
    for line in lines:
        if line.startswith("motion324-warning: "):
            log.warning("%s: %s", source, line.removeprefix("motion324-warning: "))
    said = [line.removeprefix("motion324-error: ") for line in lines if line.startswith("motion324-error: ")]
    if code or said:
        raise unreadable_by_blender(
            source, (said or [line for line in lines if line.strip()] or [f"it ended with code {code}"])[-1]
        )


def unreadable_by_blender(source: Path, why: str) -> Motion324Error:
    return bad_mesh(
        "mesh-unreadable",
        f"Blender cannot read a mesh from '{source}': {why.strip().rstrip('.')}.",
        "Open the file in Blender to see what is wrong, or export the object as GLB.",
    )


def _output(
    command: list[str],
    environment: dict[str, str],
    executable: Path,
    source: Path,
    progress: Progress,
    time_limit: float,
) -> tuple[str, int]:
    """What the process printed, and its exit code. It is killed when it takes too long or the job is cancelled."""
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise bad_mesh(
            "blender-not-found",
            f"Blender cannot be started from '{executable}': {error}.",
            f"Set {ENVIRONMENT_VARIABLE} to the executable of Blender.",
        ) from error
    with process:
        try:
            while time.monotonic() - began < time_limit:
                progress("read", 0, 1)
                try:
                    output, _ = process.communicate(timeout=0.2)
                    return output, process.returncode
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
    raise bad_mesh(
        "mesh-unreadable",
        f"Blender did not finish reading '{source}' within {time_limit:.0f} seconds.",
        "Convert the mesh to GLB.",
    )


def _mesh(path: Path, arrays: dict[str, np.ndarray]) -> ReferenceMesh:
    header = json.loads(arrays["header"].tobytes().decode("utf-8"))
    materials = []
    for index, (name, colour) in enumerate(zip(header["materials"], arrays["base_colours"], strict=True)):
        red, green, blue, alpha = (float(value) for value in colour)
        materials.append(Material(name, (red, green, blue, alpha), arrays.get(f"texture_{index}")))
    return ReferenceMesh(
        positions=arrays["positions"].astype(np.float32),
        faces=arrays["faces"].astype(np.int32),
        face_material=arrays["face_material"].astype(np.int32),
        materials=tuple(materials),
        corner_uv=arrays["corner_uv"].astype(np.float32) if header["has_uv"] else None,
        vertex_colour=arrays["vertex_colour"].astype(np.float32) if header["has_colour"] else None,
        up="Z",
        name=path.stem,
        metadata={
            "parts": ", ".join(header["parts"]),
            "vertex order": "visible mesh objects in the file's order, each evaluated, in world space",
            "frame": str(header["frame"]),
            "blender": header["blender"],
        },
    )
