"""Too little memory is told in one sentence, before the work where it can be known."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from motion324.core.errors import Motion324Error
from motion324.core.processes import machine
from motion324.core.processes.machine import check_memory, is_out_of_memory, processor_count


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limits")
@pytest.mark.parametrize("megabytes", [400, 700, 1000])
def test_a_limit_that_no_video_fits_is_told_in_one_line(tmp_path, megabytes):
    """Beyond this, libraries crash where they load, or say that a file is broken."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))\n"
        "from motion324.cli.main import main; sys.exit(main(['animate', 'a.glb', 'a.mp4', '-o', 'out']))"
    ).replace("BYTES", str(megabytes * 10**6))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 7
    assert done.stderr == (
        f"error: This process may use {megabytes} MB of memory, and even a short video needs 1100 MB. "
        "Raise that limit (ulimit -v); most videos need 2 GB or more.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limits")
@pytest.mark.parametrize(("command", "code"), [(["doctor"], 1), (["images-to-video", "pictures", "-o", "a.mp4"], 7)])
@pytest.mark.parametrize("megabytes", [400, 500])
def test_commands_that_need_little_tell_that_it_is_less_instead_of_crashing(tmp_path, command, code, megabytes):
    program = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({megabytes * 10**6},) * 2)\n"
        f"from motion324.cli.main import main; sys.exit(main({command}))"
    )
    (tmp_path / "pictures").mkdir()
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert f"may use {megabytes} MB of memory, and even a short video needs" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_small_container_is_told(monkeypatch):
    monkeypatch.setattr(machine, "total_memory", lambda: 512_000_000)
    with pytest.raises(Motion324Error, match="may use 512 MB of memory") as told:
        check_memory()
    assert told.value.code == "too-little-memory"
    monkeypatch.setattr(machine, "total_memory", lambda: 0)  # not known
    check_memory()


class RuntimeException(RuntimeError):
    pass


RuntimeException.__module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        ImportError("libopenblas.so: failed to map segment from shared object"),
        OSError("Could not find/load shared object file"),
        RuntimeError("can't start new thread"),
        RuntimeException("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 8"),
    ],
)
def test_lack_of_memory_is_known_by_what_libraries_say_of_it(error):
    assert is_out_of_memory(error)
    wrapped = ValueError("something else")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped)


@pytest.mark.parametrize("error", [ValueError("out of memory"), OSError(2, "No such file"), ImportError("no torch")])
def test_other_errors_are_none(error):
    assert not is_out_of_memory(error)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_that_was_freed_goes_back_to_the_system():
    """Blocks of 64 kB, of which C's allocator keeps all that lie below one that is still in use."""
    code = (
        "import numpy as np; from pathlib import Path; from motion324.core.processes.machine import give_back\n"
        "held = lambda: int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6\n"
        "blocks = [np.ones(8000) for _ in range(4000)]; last = blocks[-1]; blocks.clear()\n"
        "before = held(); give_back(); print(before - held())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert float(done.stdout) > 200, done.stderr


def test_other_programs_make_work_slower_as_the_load_tells(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for load, slower in ((0.0, 1.0), (1.0, 1.0), (4.0, 2.0), (16.0, 6.0)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        assert machine.slower_by_others() == pytest.approx(slower)
    monkeypatch.delattr(os, "getloadavg")  # as on Windows
    assert machine.slower_by_others() == 1.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other allocators have other heaps")
def test_threads_share_a_few_heaps_of_the_allocator():
    code = (
        "import ctypes, threading; from motion324.core.processes.machine import keep_few_heaps\n"
        "{}\n"
        "libc, gate = ctypes.CDLL(None), threading.Barrier(24)\n"
        "libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p\n"
        "def take(): gate.wait(); [libc.malloc(5000) for _ in range(50)]; gate.wait()\n"
        "threads = [threading.Thread(target=take) for _ in range(24)]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]\n"
        "out = ctypes.c_void_p(libc.fdopen(1, b'w')); libc.malloc_info(0, out); libc.fflush(out)"
    )
    heaps = [
        subprocess.run([sys.executable, "-c", code.format(first)], check=True, capture_output=True, text=True).stdout
        for first in ("", "keep_few_heaps()")
    ]
    if "<heap nr=" not in heaps[0]:
        pytest.skip("this C library tells nothing of its heaps")
    many, few = (told.count("<heap nr=") for told in heaps)
    assert few <= max(2, processor_count() // 4) < many
