"""How heavy the backend and the add-on are while they do nothing. Prints one table.

    python benchmarks/footprint.py [--blender-python .venv-blender/bin/python] [--installation] [--jobs] [--repeats 7]

- importing motion324.client, and numpy alone, which it needs: processor seconds of a whole Python, less those of one
  that imports nothing;
- registering the add-on in Blender's Python, by its own `register`, everything imported anew: seconds of the clock and
  of the processor;
- a backend that has started and waits for its first client: its memory, as the system counts what is resident;
- with --jobs, the same of one that has examined and animated our example, and made bones for it, once it has had
  nothing to do for more than two minutes, and what it held at the most;
- with --installation, a new environment with the backend, made by pip, unused parts left out as the add-on does: its
  size.
  That takes a minute and a network.
The least of all repeats is told, which other programs disturb least.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
REST = 150  # seconds without a job, after which a backend has dropped what is soon loaded again
REGISTER = """
import json, os, sys, time
import bpy
sys.path[:0] = sys.argv[1:]
clock, processor = time.perf_counter(), time.process_time()
import motion324_addon
motion324_addon.register()
print(json.dumps([time.perf_counter() - clock, time.process_time() - processor]), flush=True)
os._exit(0)  # Blender as a module does not always end well with an add-on in it
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender-python", type=Path, default=ROOT / ".venv-blender" / "bin" / "python")
    parser.add_argument("--installation", action="store_true", help="also make one")
    parser.add_argument("--jobs", action="store_true", help="also a backend after jobs; takes three minutes")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    nothing, numpy, client = (
        min(processor_seconds(code) for _ in range(arguments.repeats))
        for code in ("pass", "import numpy", "import motion324.client")
    )
    print(f"import motion324.client: {1e3 * (client - nothing):.0f} ms, of it numpy {1e3 * (numpy - nothing):.0f} ms")
    if arguments.blender_python.exists():
        clock, processor = zip(*(registration(arguments.blender_python) for _ in range(arguments.repeats)), strict=True)
        print(f"registering the add-on: {1e3 * min(clock):.0f} ms, of the processor {1e3 * min(processor):.0f} ms")
    print(f"a backend that waits: {idle_memory() / 1e6:.0f} MB")
    if arguments.jobs:
        print("a backend after jobs: {:.0f} MB, at the most {:.0f} MB".format(*(size / 1e6 for size in after_jobs())))
    if arguments.installation:
        print(f"an installation: {installed_size() / 1e6:.0f} MB")
    return 0


def processor_seconds(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def registration(python: Path) -> tuple[float, float]:
    done = subprocess.run([python, "-c", REGISTER, ROOT, ROOT / "backend"], check=True, capture_output=True, text=True)
    clock, processor = json.loads(done.stdout.splitlines()[-1])
    return clock, processor


def idle_memory() -> int:
    """Bytes, once the backend has stopped to load what it will need."""
    from motion324.client import start_server

    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(sys.executable), log_path=Path(folder) / "log.txt")
        try:
            grown = -1
            while (size := resident(server.pid)) != grown:
                grown = size
                time.sleep(5)
            return size
        finally:
            server.kill()


def after_jobs() -> tuple[int, int]:
    """Bytes of a backend that rests after jobs, and at the most."""
    from motion324.client import Client, start_server
    from motion324.core.options.animate_options import AnimateOptions
    from motion324.core.options.rig_settings import RigSettings
    from motion324.mesh.files.reading import read_mesh
    from motion324.wire.events import ResultEvent
    from motion324.wire.requests import AnimateRequest, ExamineRequest
    from motion324.wire.rig_messages import RigRequest

    mesh, video = read_mesh(ROOT / "examples" / "shiba.glb"), ROOT / "examples" / "shiba.mp4"
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(sys.executable), log_path=Path(folder) / "log.txt")
        try:
            with Client.connect(server.endpoint) as client:
                client.examine(ExamineRequest(video, AnimateOptions(), mesh))
                for event in client.animate(AnimateRequest.of(mesh, video, AnimateOptions())):
                    if isinstance(event, ResultEvent):
                        positions = event.result.positions
                client.rig(RigRequest(positions, mesh.faces, RigSettings()))
                most = resident(server.pid, "VmHWM")
                time.sleep(REST)
                return resident(server.pid), most
        finally:
            server.kill()


def resident(process: int, which: str = "VmRSS") -> int:
    lines = Path(f"/proc/{process}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


def installed_size() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "backend"
        venv.create(place, with_pip=True)
        program = place / "bin" / "python"
        subprocess.run([program, "-m", "pip", "install", "-q", "--no-compile", ROOT / "backend"], check=True)
        packages = next((place / "lib").glob("python*/site-packages"))
        # As leave_out_unused in the add-on's installation/environment.py.
        for name in ("tools", "transformers", "quantization"):
            shutil.rmtree(packages / "onnxruntime" / name)
        for library in ("scipy", "numba", "llvmlite", "numpy"):
            for tests in sorted((packages / library).rglob("tests")):
                for path in sorted(tests.rglob("*"), reverse=True):
                    if library != "numpy" or not path.relative_to(tests).parts[0].startswith("_"):
                        path.rmdir() if path.is_dir() else path.unlink()
        for name in ("pip", "setuptools", "pkg_resources"):  # this venv has them, the add-on's has none
            shutil.rmtree(packages / name, ignore_errors=True)
        return sum(file.lstat().st_size for file in place.rglob("*"))


if __name__ == "__main__":
    sys.exit(main())
