"""What is installed on which machine, how large it is said to be, and how failures are told."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture
def plan(addon):
    return addon("installation.plan")


@pytest.fixture
def machine(addon):
    return addon("installation.plan")


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """nvidia_smi(printed, code) puts such a program before all others."""

    def write(printed: str, code: int = 0) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{printed}'\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return write


def test_a_gpu_is_what_its_driver_says(machine, nvidia_smi, tmp_path):
    nvidia_smi("NVIDIA RTX 6000, Ada, 580.65.06, 49140")
    gpu = machine.look(tmp_path / "not" / "there").gpu
    assert gpu == machine.Gpu("NVIDIA RTX 6000, Ada", "580.65.06", 49140 << 20)
    assert gpu.driver_series == 580


@pytest.mark.parametrize(("printed", "code"), [("NVIDIA-SMI has failed", 9), ("No devices were found", 0), ("", 0)])
def test_a_driver_without_a_gpu_is_none(machine, nvidia_smi, tmp_path, printed, code):
    nvidia_smi(printed, code)
    assert machine.look(tmp_path).gpu is None


def test_a_machine_without_the_driver_has_no_gpu(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    seen = machine.look(tmp_path)
    assert seen.gpu is None and seen.free_bytes > 0
    assert seen.system == {"linux": "linux", "darwin": "macos", "win32": "windows"}[sys.platform]


@pytest.mark.parametrize(
    ("system", "driver", "computation", "index", "extras", "constraints", "noted"),
    [
        ("linux", None, "AUTO", "", "", (), ""),
        ("linux", "580.65", "AUTO", "", "cuda", (), "was found"),
        ("linux", "550.90", "AUTO", "", "cuda", ("torch<2.11",), "up to 2.10"),
        ("linux", "470.1", "AUTO", "", "", (), "too old"),
        ("linux", "580.65", "CPU", "", "", (), ""),
        ("linux", None, "CUDA", "", "cuda", (), "No NVIDIA driver"),
        ("windows", "580.65", "AUTO", "", "", (), "extra package index"),
        ("windows", "580.65", "AUTO", "https://index.example/simple", "cuda", (), "was found"),
        ("macos", None, "CUDA", "", "", (), "no CUDA on macOS"),
    ],
)
def test_cuda_is_installed_where_it_can_be_used(
    plan, machine, system, driver, computation, index, extras, constraints, noted
):
    gpu = machine.Gpu("GPU", driver) if driver else None
    made = plan.make_plan(machine.Machine(system, "x64", gpu, 10**12), plan.Wishes(computation, index))
    assert (made.extras, made.constraints) == (extras, constraints)
    assert noted in made.note and bool(noted) == bool(made.note)


def test_the_two_sentences_say_what_how_large_and_where(plan, machine):
    made = plan.make_plan(machine.Machine("linux", "x64", None, 10**12), plan.Wishes())
    first, second = plan.sentences(made, "/home/jo/backend")
    assert "about 230 MB, 700 MB when installed" in first and "PyTorch" not in first
    assert "/home/jo/backend" in second
    made = plan.make_plan(machine.Machine("linux", "x64", machine.Gpu("GPU", "580"), 10**12), plan.Wishes())
    assert "PyTorch with CUDA" in plan.sentences(made, "/x")[0]
    assert "3.2 GB" in plan.sentences(made, "/x")[0]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_downloaded(plan, machine, tmp_path):
    from motion324.core.errors import Motion324Error

    seen = machine.Machine("linux", "x64", None, 860_000_000)
    made = plan.make_plan(seen, plan.Wishes())
    with pytest.raises(Motion324Error, match="has 860 MB left, and the backend needs about 930 MB") as refused:
        plan.check_room(made, seen, tmp_path)
    assert refused.value.code == "disk-full"
    plan.check_room(made, seen, tmp_path, have=100_000_000)


def test_programs_get_the_users_index_and_nothing_else_of_pip_and_python(addon):
    child = addon("installation.child")
    inherited = {
        "PATH": "/bin",
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/x",
        "VIRTUAL_ENV": "/x",
        "PIP_USER": "1",
        "PIP_TARGET": "/x",
        "PIP_INDEX_URL": "https://index.example",
        "PIP_PROXY": "http://proxy.example",
        "https_proxy": "http://proxy.example",
    }
    online = child.environment_variables(inherited, online=True)
    assert {name for name in inherited if name in online} == {"PATH", "PIP_INDEX_URL", "PIP_PROXY", "https_proxy"}
    assert "PIP_CONFIG_FILE" not in online
    offline = child.environment_variables(inherited, online=False)
    assert "PIP_INDEX_URL" not in offline and offline["PIP_CONFIG_FILE"] == os.devnull


@pytest.mark.parametrize(
    ("said", "offline", "code"),
    [
        (["WARNING: Retrying ... NewConnectionError(...)", "ERROR: No matching distribution found for numba"], False,
         "index-unreachable"),
        (["ERROR: No matching distribution found for numba<0.62"], False, "package-missing"),
        (["ERROR: No matching distribution found for numba<0.62"], True, "wheel-not-in-folder"),
        (["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"], False,
         "disk-full"),
        (["SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]"], False, "certificate"),
        (["ERROR: something new."], False, "pip-failed"),
        ([], False, "pip-failed"),
    ],
)  # fmt: skip
def test_what_pip_says_becomes_one_sentence_with_a_remedy(addon, said, offline, code):
    error = addon("installation.problems").pip_failed("It failed", said, offline_folder=offline)
    assert error.code == code and error.hint
    assert error.sentence.startswith("It failed: ") and error.sentence.endswith(".") and "\n" not in error.sentence


def test_amounts_are_said_as_people_read_them(addon):
    words, state = addon("installation.drawing"), addon("installation.state")
    moved = state.InstallationState(
        task=state.Task.INSTALL,
        phase=state.Phase.WORKING,
        stage=state.Stage.DOWNLOAD,
        item="scipy",
        done=34_100_000,
        total=210_000_000,
        unit=state.BYTES,
        remaining=12.4,
    )
    assert words.describe(moved, 5.0) == "Downloading: scipy, 34 of 210 MB, 5 s, about 12 s left"
    assert moved.fraction == pytest.approx(0.1624, abs=1e-3)
