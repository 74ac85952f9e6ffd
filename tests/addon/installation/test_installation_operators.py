"""The buttons of the installation, and which backend the preferences lead to."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import pytest
from addon.stand_in_wheels import make_extension, make_library


@pytest.fixture
def runner(addon, tmp_path, monkeypatch):
    """The runner of the buttons, with stand-in wheels and a user folder of the test's own."""
    bundle = addon("installation.place").find_bundle()
    extension = make_extension(tmp_path / "extension", bundle.version, bundle.pip_wheel)
    folder = tmp_path / "user folder"
    monkeypatch.setattr(addon("job.storage"), "user_folder", lambda name="": folder / name)
    monkeypatch.delenv("MOTION324_BACKEND_PYTHON", raising=False)
    module = addon("installation.runner")
    runner = module.runner
    monkeypatch.setattr(runner, "_extension", extension)
    monkeypatch.setattr(runner, "state", addon("installation.state").InstallationState())
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    return runner


@pytest.fixture
def preferences(addon, installed, runner):
    """The module, with the preferences as they are at first; they are put back."""
    module = addon("settings.preferences")
    names = ("backend", "backend_python", "remote_address", "remote_token", "computation", "extra_index")
    yield module
    for name in names:
        module.get().property_unset(name)


@pytest.fixture
def online():
    """online(bool) allows Blender's online access or takes it away."""
    system = bpy.context.preferences.system
    before = system.use_online_access

    def allow(allowed: bool) -> None:
        system.use_online_access = allowed

    yield allow
    system.use_online_access = before


@pytest.fixture
def wheels(tmp_path):
    return make_library(tmp_path / "wheels").parent


def test_without_online_access_the_download_is_refused_with_the_ways_that_are_left(runner, online):
    online(False)
    with pytest.raises(RuntimeError, match=r"no permission for online access.*folder of wheels.*existing backend"):
        bpy.ops.motion324.install_backend()
    assert runner.look().condition.value == "missing" and not runner.state.busy


def test_a_folder_of_wheels_needs_no_online_access(runner, preferences, online, wheels):
    online(False)
    assert not preferences.is_backend_ready()
    assert bpy.ops.motion324.install_from_folder(directory=f"{wheels}{os.sep}") == {"FINISHED"}
    assert preferences.is_backend_ready()
    assert preferences.connection().python == runner.place.python
    assert bpy.ops.motion324.check_installation() == {"FINISHED"}
    assert runner.state.report.works
    assert bpy.ops.motion324.remove_backend() == {"FINISHED"}
    assert not preferences.is_backend_ready() and not bpy.ops.motion324.remove_backend.poll()


def test_the_button_that_opens_the_preferences_gets_as_far_as_is_possible_without_a_window(preferences):
    with pytest.raises(RuntimeError, match="userpref_show"):
        bpy.ops.motion324.open_preferences()


def test_a_folder_without_wheels_is_refused(runner, tmp_path):
    with pytest.raises(RuntimeError, match=r"There are no wheels in '.*nothing'\. Fill it"):
        bpy.ops.motion324.install_backend(wheels_folder=str(tmp_path / "nothing"))


def test_an_extra_index_that_is_no_address_is_refused(preferences, wheels):
    preferences.get().extra_index = "cu130"
    with pytest.raises(RuntimeError, match="The extra package index in the preferences is not an address"):
        bpy.ops.motion324.install_backend(wheels_folder=str(wheels))


def test_without_a_backend_the_error_says_how_to_get_one(preferences, runner):
    with pytest.raises(Exception, match=r"The engine is not installed yet\. Download it in Preferences") as told:
        preferences.connection()
    assert told.value.code == "backend-not-installed"
    runner.place.environment.mkdir(parents=True)
    with pytest.raises(Exception, match=r"was interrupted; what was downloaded is kept\. Continue Installation in"):
        preferences.connection()


def test_the_variable_takes_the_place_of_the_installed_backend_only(preferences, monkeypatch):
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", "/elsewhere/python")
    assert preferences.connection().python == Path("/elsewhere/python") and preferences.is_backend_ready()
    preferences.get().backend_python = "/chosen/python"
    assert preferences.get().backend == "PYTHON"
    assert preferences.connection().python == Path("/chosen/python") and not preferences.is_backend_ready()


def test_a_remote_backend_is_an_address_and_a_token_that_nobody_sees(preferences, addon):
    chosen = preferences.get()
    chosen.backend, chosen.remote_address = "REMOTE", "localhost:7324"
    assert not preferences.is_backend_ready()
    with pytest.raises(Exception, match="the token of the remote backend is missing"):
        preferences.connection()
    chosen.remote_token = "a-secret-of-many-letters"
    where = preferences.connection()
    assert where == addon("job.backend").Remote("localhost:7324", "a-secret-of-many-letters")
    assert "secret" not in repr(where) and preferences.is_backend_ready()


def test_a_remote_backend_that_does_not_answer_is_told_without_its_token(preferences, runner, addon):
    chosen = preferences.get()
    chosen.backend, chosen.remote_address, chosen.remote_token = "REMOTE", "127.0.0.1:9", "a-secret-of-many-letters"
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:9 cannot be reached") as told:
        bpy.ops.motion324.check_installation()
    events = addon("runner_base.history").history.lines()
    assert "a-secret" not in str(told.value) + runner.place.log.read_text() + "".join(events)
    assert not any("127.0.0.1" in event for event in events) and "problem backend-unreachable" in events[-1]


def test_the_machine_is_looked_at_also_where_another_file_is_opened_at_once(runner, addon, monkeypatch):
    lifetime = addon("installation.runner")
    lifetime.unregister()
    monkeypatch.setattr(lifetime, "is_background", lambda: False)
    lifetime.register()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.app.timers.is_registered(lifetime._look)
    lifetime.unregister()
    monkeypatch.undo()
    lifetime.register()


def test_a_real_backend_is_checked_and_its_report_is_printed_and_can_be_copied(preferences, runner, addon, capsys):
    real = os.environ.get("MOTION324_TEST_BACKEND")
    if not real:
        pytest.skip("MOTION324_TEST_BACKEND names no Python with the backend")
    assert not bpy.ops.motion324.copy_report.poll()
    preferences.get().backend_python = real
    assert bpy.ops.motion324.check_installation() == {"FINISHED"}
    assert runner.state.report.works, runner.state.report
    assert bpy.ops.motion324.copy_report() == {"FINISHED"}
    text = addon("operators.installation").report_text()
    assert text in capsys.readouterr().out
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    assert {"extension", "chosen backend", "motion324", "numpy", "device", "memory", "weights"} <= set(lines)
    assert bpy.app.version_string in lines["this Blender"] and str(Path.home()) not in text
    assert text.endswith("Everything that is needed works.")
    *_, began, looked, ended = [
        event.split("installation: ")[-1] for event in addon("runner_base.history").history.lines()
    ]
    assert began.startswith("Started, task check, now ") and began.endswith("-> working, check, missing")
    assert looked.startswith("Moved, ") and "stage verify" in looked
    assert ended.startswith("Finished, ") and ended.endswith("-> idle, missing")
    handed_over = addon("operators.installation").report_text(["10:00:00.0 installation: Started"])
    assert handed_over == f"{text}\n\nThe last 1 events of this Blender:\n10:00:00.0 installation: Started"


def test_a_python_that_is_no_backend_is_told(preferences, runner, tmp_path):
    preferences.get().backend_python = str(tmp_path / "python")
    with pytest.raises(RuntimeError, match=r"python cannot be started \(No such file or directory\)"):
        bpy.ops.motion324.check_installation()
    assert runner.state.condition.value == "missing"
