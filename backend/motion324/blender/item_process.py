"""Keeps one Blender, or Python with bpy, that does items of job files with the extension, one after another."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from motion324.blender.blender_reading import blender_script, blender_to_write
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.owned_folder import OwnedFolder, remove_abandoned
from motion324.core.progress import Progress

MARK = "motion324-item: "  # as the extension's batch/item_server.py has it
POLL = 0.2  # seconds between two looks for cancellation
PATIENCE = 3.0  # seconds that it gets to clean up before it is killed
LAST_LINES = 12
SCRATCH = "motion324-blender-"


class BlenderItems:
    """Raises Motion324Error("blender-not-found") where there is none. It is started with the first item."""

    def __init__(self, executable: Path | None) -> None:
        self._executable = blender_to_write(Path("the outputs"), executable)
        temporary = Path(tempfile.gettempdir())
        remove_abandoned(SCRATCH, temporary)  # of workers that were killed
        self._scratch = OwnedFolder(SCRATCH, temporary)
        self._said: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process = self._started()
        threading.Thread(target=self._listen, name="blender items", daemon=True).start()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def do(self, number: int, text: str, folder: Path, log: Path, progress: Progress) -> dict[str, Any]:
        """The item's result, as it stands in a record. What progress raises ends the process.

        Raises Motion324Error("blender-ended") where it has ended before.
        """
        wish = {"number": number, "text": text, "folder": str(folder), "log": str(log)}
        try:
            self._send(wish)
            return self._result(progress)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """It may clean up; after a while it is killed, and its backend ends with it. May be called twice."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self.is_alive():
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._scratch.remove()

    def _started(self) -> subprocess.Popen[str]:
        script = str(blender_script("blender_items_script.py"))
        arguments = ["--", _checkout(), _safetensors()]
        if self._executable.stem.lower().startswith("python"):
            command = [str(self._executable), script, *arguments]
        else:
            command = [str(self._executable), "--background", "-noaudio", "--python-exit-code", "3", "--python", script]
            command += arguments
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment.setdefault("MOTION324_BACKEND_PYTHON", sys.executable)
        environment["TMPDIR"] = str(self._scratch.path)
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                self._answers.put(json.loads(line.removeprefix(MARK)))
            elif line.strip():
                self._said.append(line.strip())
        self._answers.put(None)

    def _send(self, wish: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _result(self, progress: Progress) -> dict[str, Any]:
        told: tuple[str, int, int] = ("start", 0, 1)
        while True:
            progress(*told)
            try:
                answer = self._answers.get(timeout=POLL)
            except queue.Empty:
                continue
            if answer is None:
                raise self._ended()
            if "result" in answer:
                found: dict[str, Any] = answer["result"]
                return found
            if "progress" in answer:
                stage, done, total = answer["progress"]
                told = (str(stage), int(done), int(total))

    def _ended(self) -> Motion324Error:
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        said = [line.removeprefix("motion324-error: ") for line in self._said if line.startswith("motion324-error: ")]
        why = (said or list(self._said) or [f"code {code}"])[-1]
        sentence = f"The Blender '{self._executable}' that did this item has ended: {why.rstrip('.')}."
        error = Motion324Error("blender-ended", sentence, "Its log has its last words.", EXIT_BACKEND)
        error.add_note("\n".join(self._said))
        return error


def _checkout() -> str:
    """The extension's folder: that of the variable MOTION324_ADDON, or the one beside this backend, where both are a
    checkout; "" where there is none."""
    named = os.environ.get("MOTION324_ADDON")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "motion324_addon"
    return str(folder.absolute()) if (folder / "headless.py").is_file() else ""


def _safetensors() -> str:
    spec = importlib.util.find_spec("safetensors")
    return str(Path(spec.origin).parent) if spec and spec.origin else ""
