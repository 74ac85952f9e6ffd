"""Lists the weights that this program fetches from the Hugging Face hub, and fetches them.

An interrupted download goes on where it stopped. huggingface-hub resumes within one process only: it throws a partial
file away when the process ends. Here the partial file has a lasting name, and huggingface-hub does the rest: addresses,
headers, proxies, retries, and its variables HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE and HF_TOKEN.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from motion324.core.errors import EXIT_BACKEND, EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, is_out_of_space, write_error
from motion324.core.progress import Progress, silent


@dataclass(frozen=True)
class PublishedWeights:
    """name: as the user calls them. repository, filename: on the Hugging Face hub.

    licence: its short name; terms: what it means for the user, in sentences; licence_url: its full text.
    gigabytes: of the download, roughly.
    """

    name: str
    title: str
    repository: str
    filename: str
    licence: str
    terms: str
    licence_url: str
    gigabytes: float


MOTION_3_TO_4 = PublishedWeights(
    name="motion-3-to-4",
    title="Motion 3-to-4, as published by its authors",
    repository="River-Chen/Motion324",
    filename="ckpt_0000000000060000.pt",
    licence="CC BY-NC-SA 4.0",
    terms=(
        "These weights are the work of the authors of Motion 3-to-4, not of this program, and under another licence. "
        "You may use them for non-commercial purposes only, must name the authors, and must pass on what you make from "
        "the weights under the same licence."
    ),
    licence_url="https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
    gigabytes=3.0,
)
CATALOGUE = {weights.name: weights for weights in (MOTION_3_TO_4,)}


def find_weights(name: str) -> PublishedWeights:
    """Raises Motion324Error("bad-option") for a name that is not in the catalogue."""
    if name not in CATALOGUE:
        raise Motion324Error(
            "bad-option",
            f"The weights '{name}' are not known.",
            f"Known are: {', '.join(CATALOGUE)}, and what `motion324 weights download --help` names.",
            EXIT_USAGE,
        )
    return CATALOGUE[name]


POLL_SECONDS = 0.1
MEGABYTE = 1_000_000


def fetch(weights: PublishedWeights, progress: Progress = silent) -> Path:
    """The published file on this machine: from huggingface-hub's cache, or freshly downloaded.

    A download reports the stage "download" in megabytes and lies under HF_HOME/motion324, where its partial file waits
    after an interruption. Where the hub tells the file's SHA-256, the file has it.

    Raises Motion324Error: "hub-missing" (huggingface-hub is not installed), "offline", "no-network", "hub-refused",
    "download-damaged", "disk-full", "cannot-write"; and what `progress` raises, the partial file kept.
    """
    hub = _import_hub()
    cached = hub.try_to_load_from_cache(weights.repository, weights.filename)
    if isinstance(cached, str):
        return Path(cached)
    if hub.constants.HF_HUB_OFFLINE:
        raise Motion324Error(
            "offline",
            f"{weights.filename} is not in the Hugging Face cache, and HF_HUB_OFFLINE forbids to download it.",
            "Unset HF_HUB_OFFLINE, or copy the file from another machine and use `motion324 weights convert`.",
            EXIT_BACKEND,
        )
    url = hub.hf_hub_url(weights.repository, weights.filename)
    metadata = _asking(weights, lambda: hub.get_hf_file_metadata(url))
    etag = metadata.etag or "unknown"
    folder = Path(hub.constants.HF_HOME) / "motion324" / re.sub(r"[^0-9A-Za-z]", "", etag)[:64]
    path = folder / weights.filename
    if path.is_file():
        return path
    with explained_write_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    _download(hub, weights, url, partial, metadata.size, progress)
    if re.fullmatch(r"[0-9a-f]{64}", etag):
        _check_hash(partial, etag, weights)
    with explained_write_errors(path):
        partial.replace(path)
    return path


def remove_fetched(path: Path) -> bool:
    """Deletes a file that `fetch` downloaded itself, with its folder; leaves huggingface-hub's own cache alone."""
    if path.parent.parent.name != "motion324" or path.is_symlink():
        return False
    path.unlink(missing_ok=True)
    path.parent.rmdir()
    return True


class _ReportedFile:
    """What the download writes to: appends to the partial file, and stops the download when it should end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.stopped = threading.Event()

    def write(self, chunk: bytes) -> int:
        if self.stopped.is_set():
            raise _Stopped
        return self._file.write(chunk)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Stopped(Exception):
    pass


def _download(
    hub: Any, weights: PublishedWeights, url: str, partial: Path, size: int | None, progress: Progress
) -> None:
    """Brings `partial` to its full size. Runs in a thread, so that progress and cancelling do not wait for the net."""
    from huggingface_hub.file_download import http_get

    with explained_write_errors(partial), partial.open("ab") as file:
        had = file.tell()
        if size is not None and had > size:
            file.truncate(0)
            had = 0
        if size is not None:
            _check_space(partial, size - had)
        target = _ReportedFile(file)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                headers = hub.utils.build_hf_headers()
                http_get(url, target, resume_size=had, headers=headers, expected_size=size)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work, name="motion324-download", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                done = partial.stat().st_size
                progress("download", done // MEGABYTE, max(size or done, 1) // MEGABYTE)
                thread.join(POLL_SECONDS)
        finally:
            target.stopped.set()
            file.flush()
        if failures:
            raise _explained(weights, failures[0])
    progress("download", partial.stat().st_size // MEGABYTE, partial.stat().st_size // MEGABYTE)


def _check_space(partial: Path, needed: int) -> None:
    import shutil

    if shutil.disk_usage(partial.parent).free < needed:
        raise Motion324Error(
            "disk-full",
            f"The disk of '{partial.parent}' has no room for {needed / 1e9:.1f} GB more.",
            "Free some space, or let HF_HOME name a folder on another disk.",
            EXIT_CANNOT_WRITE,
        )


def _check_hash(partial: Path, expected: str, weights: PublishedWeights) -> None:
    import hashlib

    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        partial.unlink()
        raise Motion324Error(
            "download-damaged",
            f"The downloaded {weights.filename} is not what {weights.repository} offers: its SHA-256 differs.",
            "It was removed; download it again.",
            EXIT_BACKEND,
        )


def _asking(weights: PublishedWeights, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:
        raise _explained(weights, error) from error


def _explained(weights: PublishedWeights, error: BaseException) -> BaseException:
    """The error for people behind one of the hub's, of the net's, or of the disk's."""
    from huggingface_hub import errors

    if isinstance(error, Motion324Error):
        return error
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Motion324Error(
            "offline", "HF_HUB_OFFLINE forbids to use the network.", "Unset HF_HUB_OFFLINE.", EXIT_BACKEND
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return Motion324Error(
            "hub-refused",
            f"The hub answered {status} to the request for {weights.filename} of {weights.repository}.",
            "Look in a browser whether the repository is still there; try again later.",
            EXIT_BACKEND,
        )
    if isinstance(error, OSError) and is_out_of_space(error):
        return write_error(Path(weights.filename), error)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
    return Motion324Error(
        "no-network",
        f"{weights.filename} could not be downloaded: {reason}.",
        "Look at the network connection, then run the same command again: it goes on where it stopped.",
        EXIT_BACKEND,
    )


def _import_hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.utils
    except ImportError as error:
        raise Motion324Error(
            "hub-missing",
            "Downloading weights needs the package huggingface-hub, which is not installed.",
            "Install the backend with its 'cpu' or 'cuda' extra, as the README shows.",
            EXIT_BACKEND,
        ) from error
    return huggingface_hub
