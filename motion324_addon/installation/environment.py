"""Keeps the backend's virtual environment: tells its state, makes it, gives it another Python, removes it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside

from . import child
from .place import Bundle, Place
from .state import Condition

# Libraries whose tests take 31 MB, and what nothing here runs of them besides: 4 MB.
WITH_TESTS = ("scipy", "numba", "llvmlite", "numpy")
UNUSED = ("onnxruntime/tools", "onnxruntime/transformers", "onnxruntime/quantization")


@dataclass(frozen=True)
class Stamp:
    """What is installed. base: the Python that the environment was made with. damaged: what a check found, or "".

    packages: how many. size: of the environment in bytes.
    """

    version: str
    wheel_sha256: str
    extras: str
    python: str
    base: str
    packages: int
    size: int
    damaged: str = ""


def inspect(place: Place, bundle: Bundle) -> Condition:
    """What lies in the folder; a few looks at the disk, so that it may be asked often."""
    stamp = read_stamp(place)
    if stamp is None:
        return Condition.UNFINISHED if place.environment.exists() or place.downloads.exists() else Condition.MISSING
    if not (Path(stamp.base).exists() and place.python.exists()):
        return Condition.PYTHON_GONE
    if stamp.damaged:
        return Condition.DAMAGED
    if stamp.wheel_sha256 != bundle.own_hash:
        return Condition.OUTDATED
    return Condition.READY


def read_stamp(place: Place) -> Stamp | None:
    """None where there is none, or none that this version understands."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = json.loads(place.stamp.read_text("utf-8"))
        return Stamp(**{field.name: found[field.name] for field in fields(Stamp) if field.name in found})
    return None


def write_stamp(place: Place, stamp: Stamp) -> None:
    """Raises Motion324Error("disk-full", "cannot-write")."""
    with written_aside(place.stamp) as aside:
        aside.write_text(json.dumps(asdict(stamp), indent=1), "utf-8")


def mark_damaged(place: Place, finding: str) -> None:
    """Remembers what a check found, until it is repaired."""
    stamp = read_stamp(place)
    if stamp is not None:
        write_stamp(place, replace(stamp, damaged=finding))


def base_python() -> Path:
    """The Python that this Blender runs on. Raises Motion324Error("python-missing") where there is no such program."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = "python.exe" if sys.platform == "win32" else version
    candidates = [sys.executable or "", Path(sys.exec_prefix) / "bin" / program, Path(sys.exec_prefix) / program]
    candidates += [shutil.which(version) or ""]
    for candidate in map(Path, candidates):
        if candidate.is_file() and candidate.name.lower().startswith("python"):
            return candidate
    raise Motion324Error(
        "python-missing",
        "Blender's own Python was not found as a program, and the backend's environment is made with it.",
        "Choose another Python in which the backend is installed in the preferences.",
        EXIT_BACKEND,
    )


def create(place: Place, gives_up: Callable[[], bool]) -> None:
    """A new, empty environment without pip. Raises Motion324Error("environment-failed", "cannot-write"), Cancelled."""
    remove_tree(place.environment)
    _make(place, gives_up)


def change_python(place: Place, gives_up: Callable[[], bool]) -> bool:
    """Has the environment use this Blender's Python; False where its packages were made for another version."""
    stamp = read_stamp(place)
    if stamp is None or stamp.python.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
        return False
    with explained_write_errors(place.environment):
        for path in place.python.parent.glob("python*"):
            path.unlink()
    _make(place, gives_up)
    return True


def recorded_base(place: Place) -> Path:
    """The Python that the environment was made with, as venv wrote it down."""
    lines = (place.environment / "pyvenv.cfg").read_text("utf-8").splitlines()
    values = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    return Path(values.get("executable") or Path(values["home"]) / base_python().name)


def running_version() -> str:
    """Of this Python, which the environment is made with."""
    return platform.python_version()


def site_packages(place: Place) -> Path:
    if sys.platform == "win32":
        return place.environment / "Lib" / "site-packages"
    return place.environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def installed_count(place: Place) -> int:
    """How many packages are whole in the environment: the list of a package's files is the last that pip writes."""
    return sum(1 for _ in site_packages(place).glob("*.dist-info/RECORD"))


def leave_out_unused(place: Place) -> None:
    """Removes what libraries bring and nothing here runs: their tests above all. What cannot be removed stays.

    Of tests, what begins with an underscore stays where numpy has it: numpy.testing, which scipy imports, needs some.
    """
    for folder in UNUSED:
        shutil.rmtree(site_packages(place) / folder, ignore_errors=True)
    for library in WITH_TESTS:
        for tests in sorted((site_packages(place) / library).rglob("tests")):
            if library != "numpy":
                shutil.rmtree(tests, ignore_errors=True)
                continue
            for path in [path for path in tests.iterdir() if not path.name.startswith("_")]:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        path.unlink()


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)


def remove_tree(folder: Path) -> None:
    """Removes a folder with all that is in it, the stamp first, so that half of it never looks like the whole.

    Raises Motion324Error("cannot-remove") where a file is in use.
    """
    try:
        (folder / "motion324.json").unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise Motion324Error(
            "cannot-remove",
            f"'{folder}' could not be removed: {error.strerror or error}.",
            "Close other Blenders that use this backend, then try again.",
            EXIT_BACKEND,
        ) from error


def _make(place: Place, gives_up: Callable[[], bool]) -> None:
    with explained_write_errors(place.environment):
        place.environment.parent.mkdir(parents=True, exist_ok=True)
    base = base_python()
    command = [str(base), "-I", "-m", "venv", "--without-pip", str(place.environment)]
    code, said = child.run(command, place.log, gives_up=gives_up)
    if code != 0 or not place.python.exists():
        raise Motion324Error(
            "environment-failed",
            f"{base} could not make an environment in '{place.environment}': {said[-1] if said else f'code {code}'}.",
            "The log has the details; or choose another Python in which the backend is installed in the preferences.",
            EXIT_BACKEND,
        )
