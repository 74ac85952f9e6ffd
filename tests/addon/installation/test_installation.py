"""The backend's environment, made by real programs out of small wheels: installed, broken in every way, and mended."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from addon.package_index import PackageIndex
from addon.stand_in_wheels import make_extension, make_library, make_wheel


class Installation:
    """The installed extension's runner, with wheels and a user folder of the test's own."""

    def __init__(self, addon, extension: Path, folder: Path) -> None:
        self.state = addon("installation.state")
        self.environment = addon("installation.environment")
        self.errors = importlib.import_module("motion324.core.errors")  # there since the extension is installed
        self.source = addon("installation.packages").Source
        self.wishes = addon("installation.plan").Wishes
        self.extension, self.folder = extension, folder
        self._module = addon("installation.runner")
        self.runner = self._module.TaskRunner(extension)
        self.seen = []

    @property
    def place(self):
        return self.runner.place

    @property
    def condition(self) -> str:
        """What lies on the disk now, looked at by a Blender that has just been started."""
        return self._module.TaskRunner(self.extension).look().condition.value

    def run(self, task="install", wheels=None, watch=lambda state: None, wishes=None):
        def remember(state) -> None:
            self.seen.append(state)
            watch(state)

        order = self._module.Order(self.state.Task(task), self.source(wheels), wishes or self.wishes("CPU"))
        return self.runner.run_blocking(order, remember)

    def python(self, code: str) -> str:
        done = subprocess.run([self.place.python, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def extension(addon, tmp_path):
    bundle = addon("installation.place").find_bundle()
    return make_extension(tmp_path / "extension", bundle.version, bundle.pip_wheel)


@pytest.fixture
def wheels(tmp_path):
    """A folder with all that the stand-in backend needs."""
    return make_library(tmp_path / "wheels of the office").parent


@pytest.fixture
def installation(addon, extension, tmp_path, monkeypatch):
    folder = tmp_path / "Größe & Weite" / "motion324"
    monkeypatch.setattr(addon("job.storage"), "user_folder", lambda name="": folder / name)
    # What leads a Python or a pip astray that does not protect itself.
    for name, value in {"PYTHONPATH": "/nowhere", "PIP_USER": "1", "PIP_TARGET": str(tmp_path / "elsewhere")}.items():
        monkeypatch.setenv(name, value)
    return Installation(addon, extension, folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where the first finished installation of these tests is kept; the others begin with a copy of it."""
    return tmp_path_factory.mktemp("made") / "motion324"


@pytest.fixture
def ready(installation, wheels, made):
    """The installation, finished from the folder `wheels`."""
    if made.exists():
        shutil.copytree(made, installation.folder, symlinks=True)
    else:
        installation.run(wheels=wheels)
        shutil.copytree(installation.folder, made, symlinks=True)
    assert installation.condition == "ready"
    return installation


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index as the only one that pip knows."""
    served = PackageIndex(make_library(tmp_path / "served").parent)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", served.url)
    yield served
    served.close()


def test_the_backend_is_installed_from_a_folder_without_any_network(installation, wheels, tmp_path):
    assert installation.condition == "missing"
    state = installation.run(wheels=wheels)
    assert state.ready and installation.condition == "ready"
    assert state.report.findings[0].text == "1.0"
    assert installation.python("import stand_in_library, pip; print(stand_in_library.VERDICT)") == "fine"
    prefix = installation.python("import sys; print(sys.prefix)")
    assert Path(prefix) == installation.place.environment != Path(sys.prefix)
    assert not installation.place.downloads.exists() and not (tmp_path / "elsewhere").exists()
    stages = [state.stage.value for state in installation.seen if state.stage]
    assert sorted(set(stages), key=stages.index) == ["prepare", "resolve", "unpack", "verify"]
    assert "Unpacking" not in installation.place.log.read_text() and "pip" in installation.place.log.read_text()


def test_what_libraries_bring_and_nothing_runs_is_left_out(addon, installation, wheels, monkeypatch):
    names = ("__init__.py", "linear/__init__.py", "linear/tests/test_it.py", "tools/convert.py", "tests_of_users.py")
    make_wheel(wheels, "fitting", "1.0", {f"fitting/{name}": b"" for name in names})
    needed = ("__init__.py", "_core/tests/_natype.py", "_core/tests/test_it.py", "_core/tests/data/it.csv")
    make_wheel(wheels, "numpy", "1.0", {f"numpy/{name}": b"" for name in needed})
    library = {"stand_in_library.py": b"VERDICT = 'fine'\n"}
    make_wheel(wheels, "stand_in_library", "1.1", library, ["fitting", "numpy"])
    monkeypatch.setattr(addon("installation.environment"), "WITH_TESTS", ("fitting", "missing", "numpy"))
    monkeypatch.setattr(addon("installation.environment"), "UNUSED", ("fitting/tools", "missing/tools"))
    assert installation.run(wheels=wheels).ready
    site = addon("installation.environment").site_packages(installation.place)
    left = {path.relative_to(site).as_posix() for path in (site / "fitting").rglob("*.py")}
    assert left == {"fitting/__init__.py", "fitting/linear/__init__.py", "fitting/tests_of_users.py"}
    left = {path.relative_to(site).as_posix() for path in (site / "numpy").rglob("*.*")}
    assert left == {"numpy/__init__.py", "numpy/_core/tests/_natype.py"}


def test_the_backend_is_downloaded_from_an_index_with_its_progress(installation, index):
    index.pause = 0.01
    installation.run()
    assert installation.condition == "ready"
    downloads = [state for state in installation.seen if state.stage is installation.state.Stage.DOWNLOAD]
    size = (index.folder / "stand_in_library-1.0-py3-none-any.whl").stat().st_size
    assert {state.total for state in downloads} == {size} and downloads[-1].done == size
    assert len({state.done for state in downloads}) > 3
    assert [state.done for state in downloads] == sorted(state.done for state in downloads)


def test_a_cancelled_download_goes_on_at_its_last_byte(installation, index):
    index.pause = 0.05
    began = []

    def cancel_in_the_middle(state) -> None:
        if state.stage is installation.state.Stage.DOWNLOAD and state.done > 500_000 and not began:
            began.append(time.monotonic())
            installation.runner.cancel()

    with pytest.raises(installation.errors.Cancelled):
        installation.run(watch=cancel_in_the_middle)
    assert time.monotonic() - began[0] < 2.0  # a fifth of a second where nothing else runs
    assert installation.condition == "unfinished"
    part = next(installation.place.downloads.glob("*.part")).stat().st_size
    assert part >= 500_000
    index.pause, index.asked = 0.0, []
    installation.run()
    assert installation.condition == "ready"
    assert index.asked[-1] == ("stand_in_library-1.0-py3-none-any.whl", f"bytes={part}-")


def test_a_connection_that_breaks_is_taken_up_again(installation, index):
    index.breaks_after = 2_000_000
    installation.run()
    assert installation.condition == "ready"
    begin = int(index.asked[-1][1].removeprefix("bytes=").removesuffix("-"))
    assert 1_500_000 < begin <= 2_000_000  # what came is kept, but for the last piece


def test_a_download_that_is_not_what_the_index_announced_is_refused(installation, index, addon, monkeypatch):
    packages = addon("installation.packages")
    read = packages._read_answer
    monkeypatch.setattr(
        packages,
        "_read_answer",
        lambda *given: [dataclasses.replace(package, sha256="0" * 64) for package in read(*given)],
    )
    monkeypatch.setattr(packages, "CHILDREN", _impatient(packages.CHILDREN, installation.folder))
    with pytest.raises(
        installation.errors.Motion324Error, match=r"stand_in_library.* is not what the package index announced"
    ):
        installation.run()
    assert installation.condition == "unfinished" and not list(installation.place.downloads.glob("*.whl"))


def test_an_index_that_does_not_answer_is_told_with_what_to_do(installation, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(installation.errors.Motion324Error, match="the package index did not answer") as told:
        installation.run()
    assert "what came is kept" in told.value.hint
    assert installation.runner.state.problem.log_path == str(installation.place.log)


@pytest.mark.parametrize(("code", "advice"), [(503, "try again later"), (403, "name and password")])
def test_an_index_that_answers_with_an_error_is_told_with_its_number(installation, index, monkeypatch, code, advice):
    index.fails_with = code
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(installation.errors.Motion324Error, match=f"answered with the error {code}") as told:
        installation.run()
    assert advice in told.value.hint


def test_a_wheel_without_a_hash_is_refused_where_it_does_not_come_by_https(installation, index):
    index.links = lambda path: f"/files/{path.name}"
    with pytest.raises(installation.errors.Motion324Error, match="without a hash, and not by https"):
        installation.run()
    assert not [name for name, span in index.asked if not span]  # its metadata are all that was read


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fevil-1.0-py3-none-any.whl", "..%5Cevil.whl", "C%3Aevil.whl", "%2Fevil.whl"]
)
def test_a_wheel_whose_name_is_a_path_is_refused(addon, tmp_path, name):
    packages, problems = addon("installation.packages"), addon("installation.problems")
    answer = tmp_path / "chosen.json"
    info = {"url": f"https://index.example/{name}", "archive_info": {"hashes": {"sha256": "0" * 64}}}
    entry = {"metadata": {"name": "evil", "version": "1.0"}, "download_info": info}
    answer.write_text(json.dumps({"install": [entry]}))
    with pytest.raises(problems.Motion324Error, match="not safe: its file is named"):
        packages._read_answer(answer, None)


def test_a_folder_that_lacks_a_wheel_is_told_which(installation, tmp_path):
    with pytest.raises(installation.errors.Motion324Error, match="the folder has no fitting wheel of stand-in-library"):
        installation.run(wheels=tmp_path)
    assert installation.condition == "unfinished"


def test_a_full_disk_is_refused_before_anything_is_made(installation, wheels, addon, monkeypatch):
    monkeypatch.setattr(addon("installation.plan"), "free_bytes", lambda folder: 1_000_000)
    with pytest.raises(installation.errors.Motion324Error, match="has 1 MB left, and the backend needs about"):
        installation.run(wheels=wheels)
    assert installation.condition == "missing"


def test_a_killed_blender_leaves_no_program_behind_and_the_next_one_continues(installation, index, installed, tmp_path):
    index.pause = 0.1
    code = f"""
import importlib, pathlib
import bpy
bpy.ops.preferences.addon_enable(module={installed!r})
part = lambda name: importlib.import_module({installed!r} + "." + name)
part("job.storage").user_folder = lambda name="": pathlib.Path({str(installation.folder)!r}) / name
run = part("installation.runner")
order = run.Order(part("installation.state").Task.INSTALL, wishes=part("installation.plan").Wishes("CPU"))
runner = run.TaskRunner(pathlib.Path({str(installation.extension)!r}))
runner.run_blocking(order, lambda state: print(state.done, flush=True))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    blender = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    for line in blender.stdout:
        if line.strip().isdecimal() and int(line) > 100_000:
            break
    children = _programs_of(installation.folder)
    assert children
    blender.send_signal(signal.SIGKILL)
    blender.communicate(timeout=10)
    deadline = time.monotonic() + 2.0
    while _programs_of(installation.folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _programs_of(installation.folder)
    assert installation.condition == "unfinished"
    index.pause, index.asked = 0.0, []
    installation.run()
    assert installation.condition == "ready" and index.asked[-1][1].startswith("bytes=")


def test_a_python_that_is_gone_is_replaced_without_a_download(ready, wheels):
    stamp = ready.environment.read_stamp(ready.place)
    ready.environment.write_stamp(ready.place, dataclasses.replace(stamp, base="/gone/python3.11"))
    ready.place.python.unlink()
    ready.place.python.symlink_to("/gone/python3.11")
    assert ready.condition == "python-gone"
    before = ready.environment.site_packages(ready.place).stat().st_ino
    ready.run(wheels=Path("/nowhere"))
    assert ready.condition == "ready"
    assert ready.environment.site_packages(ready.place).stat().st_ino == before
    assert ready.python("import stand_in_library; print(stand_in_library.VERDICT)") == "fine"


def test_another_version_of_python_means_a_new_environment(ready, wheels):
    stamp = ready.environment.read_stamp(ready.place)
    old = dataclasses.replace(stamp, base="/gone/python3.10", python="3.10.2")
    ready.environment.write_stamp(ready.place, old)
    left = ready.place.environment / "left over"
    left.write_text("of the old one")
    ready.run(wheels=wheels)
    assert ready.condition == "ready" and not left.exists()
    assert ready.environment.read_stamp(ready.place) == stamp


def test_a_check_finds_what_is_broken_and_remembers_it_until_it_is_repaired(ready, wheels):
    assert ready.run("check").ready
    (ready.environment.site_packages(ready.place) / "stand_in_library.py").unlink()
    assert ready.condition == "ready"  # a look at the disk does not try everything
    with pytest.raises(
        ready.errors.Motion324Error,
        match="does not run: ModuleNotFoundError: No module named 'stand_in_library'",
    ):
        ready.run("check")
    assert ready.condition == "damaged"
    ready.run(wheels=wheels)
    assert ready.condition == "ready" and ready.run("check").report.works


def test_a_backend_that_does_not_work_after_its_installation_does_not_count_as_one(installation, wheels):
    make_library(wheels, verdict="problem")
    with pytest.raises(
        installation.errors.Motion324Error, match=r"was installed, but does not work: stand-in-library: 1\.0"
    ):
        installation.run(wheels=wheels)
    assert installation.condition == "unfinished"


def test_a_new_version_of_the_extension_updates_the_backend_in_place(ready, wheels, addon, tmp_path):
    bundle = addon("installation.place").find_bundle(ready.extension)
    newer = tmp_path / "newer"
    shutil.copytree(ready.extension, newer)
    make_extension(newer, bundle.version, bundle.pip_wheel, cli="NEWER = True\n" + _cli_of(bundle.own_wheel))
    updated = type(ready)(addon, newer, ready.folder)
    assert updated.condition == "outdated"
    kept = ready.environment.site_packages(ready.place) / "stand_in_library.dat"
    before = kept.stat().st_mtime_ns, kept.stat().st_ino
    updated.run(wheels=wheels)
    assert updated.condition == "ready"
    assert (kept.stat().st_mtime_ns, kept.stat().st_ino) == before
    assert updated.python(
        "import sys; sys.argv[1:] = ['doctor', '--json']; from motion324.__main__ import NEWER"
    ).endswith("}")


def test_removing_leaves_nothing_but_the_log(ready):
    ready.place.downloads.mkdir()
    ready.run("remove")
    assert ready.condition == "missing"
    assert [path.name for path in ready.folder.iterdir()] == ["logs"]


def test_two_blenders_never_change_the_same_environment_at_once(installation, wheels, addon):
    with addon("installation.place").only_one(installation.place):
        with pytest.raises(installation.errors.Motion324Error, match="Another Blender installs or removes"):
            installation.run(wheels=wheels)
        with pytest.raises(installation.errors.Motion324Error, match="Another Blender installs or removes"):
            installation.run("remove")
    assert installation.condition == "missing"


def test_the_password_of_an_extra_index_never_gets_into_the_log(installation, index, addon):
    wishes = installation.wishes("CPU", index.url.replace("127.0.0.1", "jo:secret-word@127.0.0.1"))
    source = addon("installation.packages").Source(extra_index=wishes.extra_index)
    order = addon("installation.runner").Order(installation.state.Task.INSTALL, source, wishes)
    installation.runner.run_blocking(order, lambda state: None)
    assert installation.condition == "ready"
    assert "127.0.0.1" in installation.place.log.read_text()
    assert "secret-word" not in installation.place.log.read_text()


def test_the_window_is_told_by_a_timer_and_never_waits(installation, wheels, addon):
    run = addon("installation.runner")
    taken = []

    def count(call, *arguments) -> None:
        clock, processor = time.monotonic(), time.thread_time()
        call(*arguments)
        taken.append((time.monotonic() - clock, time.thread_time() - processor))

    order = run.Order(installation.state.Task.INSTALL, installation.source(wheels))
    count(installation.runner.start, order)
    while installation.runner.state.busy:
        count(installation.runner._tick)
        time.sleep(0.02)
    assert installation.runner.state.ready and len(taken) > 10
    waited, worked = (max(each) for each in zip(*taken, strict=True))
    assert waited < 0.5 and worked < 0.05  # other programs may lengthen the former


@pytest.mark.long
def test_the_real_backend_is_installed_from_the_package_index(addon, installation, monkeypatch):
    for name in ("PIP_USER", "PIP_TARGET", "PYTHONPATH"):
        monkeypatch.delenv(name)
    bundle = addon("installation.place")
    real = Installation(addon, bundle.EXTENSION, installation.folder)
    state = real.run()
    assert real.condition == "ready" and state.report.works
    stamp = json.loads(real.place.stamp.read_text())
    version = bundle.find_bundle().version
    assert stamp["version"] == version and 300e6 < stamp["size"] < 900e6
    assert real.python("import motion324; print(motion324.__version__)") == version


def _programs_of(folder: Path) -> list[int]:
    """Process ids of the programs whose command names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                if words[0].startswith(str(folder)) and "Z" not in (entry / "stat").read_text().split()[2]:
                    found.append(int(entry.name))
            except (OSError, UnicodeDecodeError):
                continue
    return found


def _impatient(children: Path, folder: Path) -> Path:
    """The scripts of the environment without their pauses between two attempts."""
    copied = folder.parent / "children"
    shutil.copytree(children, copied)
    script = copied / "fetch.py"
    script.write_text(script.read_text().replace("time.sleep(2**attempt)", "pass"))
    return copied


def _cli_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read("motion324/__main__.py").decode()
