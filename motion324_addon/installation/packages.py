"""Knows which packages the backend needs, fetches them, and unpacks them into the environment: pip in three steps.

pip chooses (online, or out of a folder of wheels), children/fetch.py downloads what it chose so that a cancelled
download goes on later, and pip unpacks exactly these files without a look at any index.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion324.core.files.write_aside import explained_write_errors

from . import child, environment, problems
from .place import Bundle, Place
from .state import BYTES, PACKAGES, Stage

CHILDREN = Path(__file__).with_name("children")
WHEEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
# report(stage, item, done, total, unit, seconds that remain or None)
Report = Callable[[Stage, str, int, int, str, float | None], None]


@dataclass(frozen=True)
class Source:
    """folder: of wheels that takes the place of the package index, or None. extra_index: a further index, or ""."""

    folder: Path | None = None
    extra_index: str = ""


@dataclass(frozen=True)
class Package:
    """url: of its wheel, a file:// one where it lies on this machine. sha256: "" if the index does not tell."""

    name: str
    version: str
    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        return urllib.parse.unquote(urllib.parse.urlsplit(self.url).path.rsplit("/", 1)[-1])

    @property
    def is_local(self) -> bool:
        return self.url.startswith("file:")

    def path(self, place: Place) -> Path:
        """Its wheel on this machine, once it is fetched."""
        if self.is_local:
            from urllib.request import url2pathname  # with its needs a twelfth of what registering the add-on takes

            return Path(url2pathname(urllib.parse.urlsplit(self.url).path))
        return place.downloads / self.file_name


class Installer:
    """The three steps, in their order. Each raises Motion324Error (see `problems`) or Cancelled."""

    def __init__(
        self, place: Place, bundle: Bundle, source: Source, report: Report, gives_up: Callable[[], bool]
    ) -> None:
        self._place, self._bundle, self._source = place, bundle, source
        self._report, self._gives_up = report, gives_up

    def resolve(self, extras: str, constraints: Sequence[str], *, anew: bool) -> list[Package]:
        """What pip would install besides our own wheel. anew: into an empty environment; else only what is missing."""
        folder = self._source.folder
        answer = self._place.downloads / "chosen.json"
        with explained_write_errors(answer):
            self._place.downloads.mkdir(parents=True, exist_ok=True)
            answer.unlink(missing_ok=True)
        arguments = ["install", "--dry-run", "--report", str(answer), "--only-binary", ":all:", "--no-user"]
        arguments += ["--no-cache-dir", "--progress-bar", "raw"]
        arguments += ["--ignore-installed"] if anew else []
        if folder is not None:
            arguments += ["--no-index", "--find-links", str(folder)]
        else:
            arguments += ["--use-feature", "fast-deps"]  # reads a wheel's list of needs without fetching all of it
            arguments += ["--extra-index-url", self._source.extra_index] if self._source.extra_index else []
        own = f"{self._bundle.own_wheel}[{extras}]" if extras else str(self._bundle.own_wheel)
        looked_at: set[str] = set()

        def on_line(line: str) -> bool:
            words = line.split()
            if words[:1] in (["Collecting"], ["Processing"]):
                looked_at.add(words[1])
                self._report(Stage.RESOLVE, _project(words[1]), len(looked_at), 0, PACKAGES, None)
            return line.startswith("Progress ")

        code, said = self._pip([*arguments, own, *constraints], online=folder is None, on_line=on_line)
        if code != 0:
            doing = "The libraries that the backend needs could not be looked up"
            raise problems.pip_failed(doing, said, offline_folder=folder is not None)
        return _read_answer(answer, self._bundle)

    def fetch(self, packages: Sequence[Package]) -> None:
        """Brings the wheels that do not lie on this machine into the downloads' folder."""
        remote = [package for package in packages if not package.is_local]
        if not remote:
            return
        order = self._place.downloads / "order.json"
        files = [{"name": package.file_name, "url": package.url, "sha256": package.sha256} for package in remote]
        with explained_write_errors(order):
            wanted = {"folder": str(self._place.downloads), "extra_index": self._source.extra_index, "files": files}
            order.write_text(json.dumps(wanted), "utf-8")
        failures: list[dict[str, str]] = []
        pace = _Pace()

        def on_line(line: str) -> bool:
            try:
                said = json.loads(line)
            except ValueError:
                return False  # a trace, for the log
            if "error" in said:
                failures.append(said)
                return False
            left = pace.remaining(said["done"], said["total"])
            self._report(Stage.DOWNLOAD, said["name"].partition("-")[0], said["done"], said["total"], BYTES, left)
            return True

        try:
            code, said = self._run("fetch.py", [str(order)], online=True, on_line=on_line)
        finally:
            order.unlink(missing_ok=True)  # it may hold a password
        if failures:
            raise problems.fetch_failed(failures[0]["error"], failures[0]["name"], failures[0]["text"])
        if code != 0:
            raise problems.pip_failed("The libraries could not be downloaded", said, offline_folder=False)

    def unpack(self, packages: Sequence[Package]) -> None:
        """Installs the fetched wheels, our own and pip's into the environment."""
        paths = [*(package.path(self._place) for package in packages), self._bundle.own_wheel, self._bundle.pip_wheel]
        listing = self._place.downloads / "wheels.txt"
        with explained_write_errors(listing):
            self._place.downloads.mkdir(parents=True, exist_ok=True)
            listing.write_text("".join(f"{path.as_uri()}\n" for path in paths), "utf-8")
        arguments = ["install", "--no-index", "--no-deps", "--force-reinstall", "--no-compile", "--no-user"]
        arguments += ["--no-cache-dir", "--no-warn-script-location", "--progress-bar", "off", "-r", str(listing)]
        before = environment.installed_count(self._place)

        def on_tick() -> None:
            done = min(max(0, environment.installed_count(self._place) - before), len(paths))
            self._report(Stage.UNPACK, "", done, len(paths), PACKAGES, None)

        code, said = self._pip(arguments, online=False, on_tick=on_tick)
        if code != 0:
            raise problems.pip_failed("The libraries could not be unpacked", said, offline_folder=False)

    def _pip(self, arguments: Sequence[str], **how: object) -> tuple[int, list[str]]:
        return self._run("run_pip.py", arguments, **how)

    def _run(self, script: str, arguments: Sequence[str], **how: object) -> tuple[int, list[str]]:
        command = [str(self._place.python), "-s", "-E", "-X", "utf8", "-u", str(CHILDREN / script)]
        command += [str(self._bundle.pip_wheel), *arguments]
        return child.run(command, self._place.log, cwd=self._place.downloads, gives_up=self._gives_up, **how)


class _Pace:
    """How long a download still takes, by how fast it was so far."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def remaining(self, done: int, total: int) -> float | None:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        began, before = self._first
        if not total or done <= before or now - began < 2.0:
            return None
        return (total - done) * (now - began) / (done - before)


def _project(requirement: str) -> str:
    """The name in "numpy>=1.26" or in "/folder/numpy-2.2.6-cp311-....whl"."""
    name = requirement.replace("\\", "/").rsplit("/", 1)[-1]
    if name.endswith(".whl"):
        return name.partition("-")[0]
    return re.split(r"[<>=!~;\[]", name, maxsplit=1)[0]


def _read_answer(answer: Path, bundle: Bundle) -> list[Package]:
    """pip's report, see "Installation Report" in pip's reference."""
    packages = []
    for entry in json.loads(answer.read_text("utf-8"))["install"]:
        name, where = entry["metadata"]["name"], entry["download_info"]
        hashes = where.get("archive_info", {}).get("hashes", {})
        if name != "motion324":
            package = Package(name, entry["metadata"]["version"], where["url"], hashes.get("sha256", ""))
            _check_safe(package)
            packages.append(package)
    return packages


def _check_safe(package: Package) -> None:
    """A wheel goes into the folder of downloads and nowhere else, and is what its index says, or comes from that index
    for certain. Raises Motion324Error("unsafe-download")."""
    if not WHEEL_NAME.fullmatch(package.file_name):
        raise problems.unsafe(package.name, f"its file is named {package.file_name[:80]!r}")
    if not package.is_local and not package.sha256 and not package.url.startswith("https:"):
        raise problems.unsafe(package.name, "without a hash, and not by https")
