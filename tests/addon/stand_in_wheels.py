"""A backend of a few hundred bytes: wheels that the tests make, with which pip works as with the real ones."""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import importlib.util
import marshal
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

# Answers as the real doctor does. BALLAST is there to be downloaded slowly.
CLI = """
import json, sys
import stand_in_library
if sys.argv[1] != "doctor":
    sys.exit("this command is not known")
print("a library says something first")
found = {"verdict": stand_in_library.VERDICT, "subject": "stand-in-library", "text": "1.0", "remedy": ""}
print(json.dumps({"ok": True, "findings": [found]}))
"""
BALLAST = 3_000_000


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes], requires: Sequence[str] = ()) -> Path:
    """A pure Python wheel, see the packaging guide's "Binary distribution format"."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    extras = "Provides-Extra: cuda\n"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extras}{needs}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, data in files.items():
            wheel.writestr(zipfile.ZipInfo(inner, (2020, 1, 1, 0, 0, 0)), data)
    return path


def make_library(folder: Path, verdict: str = "fine") -> Path:
    """The library that the stand-in backend needs; the doctor finds it as the verdict says."""
    noise = hashlib.shake_256(b"ballast").digest(BALLAST)
    files = {"stand_in_library.py": f"VERDICT = {verdict!r}\n".encode(), "stand_in_library.dat": noise}
    return make_wheel(folder, "stand_in_library", "1.0", files)


def make_extension(folder: Path, version: str, pip_wheel: Path, cli: str = CLI) -> Path:
    """A folder that has what `place.find_bundle` looks for in the installed extension."""
    files = {"motion324/__init__.py": b"", "motion324/__main__.py": cli.encode()}
    needs = ["stand-in-library>=1", "stand-in-cuda; extra == 'cuda'"]
    make_wheel(folder / "wheels", "motion324", version, files, needs)
    (folder / "installation" / "pip").mkdir(parents=True, exist_ok=True)
    shutil.copy(compiled(pip_wheel), folder / "installation" / "pip")
    return folder


@functools.cache
def compiled(wheel: Path) -> Path:
    """The same wheel with compiled files beside its own: Python starts pip out of it in a quarter of the time."""
    folder = tempfile.mkdtemp(prefix="motion324-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = Path(folder) / wheel.name
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(copy, "w") as after:
        if any(name.endswith(".pyc") for name in before.namelist()):
            return wheel
        for entry in before.infolist():
            data = before.read(entry)
            after.writestr(entry, data)
            if entry.filename.endswith(".py"):
                code = compile(data, entry.filename, "exec", dont_inherit=True)
                # See PEP 552: never compared with the source.
                header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(data)
                after.writestr(f"{entry.filename}c", header + marshal.dumps(code))
    return copy


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
