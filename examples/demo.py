"""Animates the example through the extension, as a user without a window would, and exports the result.

    .venv-blender/bin/python examples/demo.py --zip ZIP --backend-python .venv/bin/python --output out/demo

`make demo` runs it. The extension is installed from its zip into a Blender user folder of its own; the backend is
another process in another environment, reached through the socket. The truth is only read afterwards, for the report.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import numpy as np

HERE = Path(__file__).resolve().parent
MESH, VIDEO, TRUTH = HERE / "shiba.glb", HERE / "shiba.mp4", HERE / "shiba_truth.npz"
PACKAGE = "bl_ext.user_default.motion324"
BESIDE = 1.3  # units from the one dog to the other


def main() -> int:
    parser = argparse.ArgumentParser(description="Animates the example through the installed extension.")
    parser.add_argument("--zip", type=Path, required=True, help="the extension, as build_addon.py makes it")
    parser.add_argument("--backend-python", type=Path, required=True, help="of the environment with the backend")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results; emptied first")
    arguments = parser.parse_args()
    folder = arguments.output.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    demo = Demo(folder, arguments.backend_python.absolute())
    try:
        demo.run(arguments.zip.resolve())
    finally:
        demo.stop_backend()
    return 0


class Demo:
    """The steps, and how long each took."""

    def __init__(self, folder: Path, backend_python: Path) -> None:
        self.folder = folder
        self.backend_python = backend_python
        self.seconds: dict[str, float] = {}
        self.out = quiet_blender(folder / "blender.log")
        self._installed = False

    def run(self, extension: Path) -> None:
        began = time.monotonic()
        with self.step("install the extension into a Blender of its own"):
            import bpy

            self.install(extension)
        with self.step("import the mesh"):
            scene = bpy.context.scene
            scene.render.fps = 15
            dog = self.addon("scene.reading.new_object").import_mesh(MESH)
        with self.step("animate it after the video, through the backend"):
            animation = self.animate(dog)
        first, last = animation.timing.whole_frames
        scene.frame_start, scene.frame_end = first, last
        with self.step("keep the animation: shape keys, and a second dog with a point cache"):
            self.keep(dog, animation)
        for suffix in (".fbx", ".glb", ".abc"):
            with self.step(f"export {suffix}"):
                self.addon("scene.exporting.export").export(dog, self.folder / f"animation{suffix}", first, last)
        with self.step("save trajectory.npz"):
            trajectory = self.save_trajectory(dog, animation)
        with self.step("render the overlay on the video"):
            self.render_overlay()
        with self.step("render the turntable"):
            self.render_turntable(dog, first, last)
        report = self.report(animation, trajectory, time.monotonic() - began)
        (self.folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        self.say_end(report)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        print(f"- {what}", file=self.out)
        began = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - began, 2)
        print(f"  {self.seconds[what]:.1f} s", file=self.out)

    def addon(self, name: str) -> ModuleType:
        """A module of the installed extension."""
        return importlib.import_module(f"{PACKAGE}.{name}")

    def install(self, extension: Path) -> None:
        import bpy

        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        bpy.context.preferences.filepaths.save_version = 0  # no animation.blend1
        bpy.ops.extensions.package_install_files(
            filepath=str(extension), repo="user_default", enable_on_install=True, overwrite=True
        )
        self._installed = True

    def animate(self, dog: Any) -> Any:
        with self.addon("batch.blocking").ProgressLine(self.out) as line:
            animate_blocking = self.addon("batch.blocking").animate_blocking
            where = self.addon("job.backend").Local(self.backend_python)
            return animate_blocking(dog, VIDEO, None, line.show, where=where)

    def keep(self, dog: Any, animation: Any) -> None:
        """The .blend is saved first, so that the point cache is put beside it."""
        import bpy

        path = str(self.folder / "animation.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)
        second = dog.copy()
        second.data = dog.data.copy()
        second.name = f"{dog.name} (point cache)"
        second.location.x += BESIDE
        bpy.context.scene.collection.objects.link(second)
        keeping, target = self.addon("scene.playing.keeping"), self.addon("scene.playing.animation").Target
        for _ in keeping.keep_as_shape_keys(animation):
            pass
        keeping.keep_as_point_cache(dataclasses.replace(animation, target=target.of(second)))
        bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)

    def save_trajectory(self, dog: Any, animation: Any) -> np.ndarray:
        """As `motion324 animate` writes it: positions (T, N, 3) in the GLB's own coordinates (Y up), returned too."""
        from motion324.core.files.trajectory_file import save_trajectory
        from motion324.core.reference_mesh import Normalisation
        from motion324.core.result import AnimationResult

        positions = Normalisation(np.zeros(3), 1.0, up="Z").to_normalised(animation.positions)
        dog.data.calc_loop_triangles()
        faces = np.empty((len(dog.data.loop_triangles), 3), np.int32)
        dog.data.loop_triangles.foreach_get("vertices", faces.ravel())
        result = AnimationResult(positions, animation.frame_numbers, animation.fps, animation.view, animation.report)
        save_trajectory(self.folder / "trajectory.npz", result, faces)
        return positions

    def render_overlay(self) -> None:
        arguments = [MESH, VIDEO, self.folder / "trajectory.npz", "--output", self.folder / "overlay.mp4"]
        command = [self.backend_python, "-m", "motion324", "overlay", *arguments]
        subprocess.run([str(part) for part in command], check=True)

    def render_turntable(self, dog: Any, first: int, last: int) -> None:
        turntable = self.addon("scene.showing.turntable")
        shown = 0.0
        for done, total in turntable.render_turntable(dog, self.folder / "turntable.mp4", first, last):
            if time.monotonic() - shown > 5 or done == total:
                shown = time.monotonic()
                print(f"  picture {done} of {total}", file=self.out)

    def report(self, animation: Any, trajectory: np.ndarray, seconds: float) -> dict[str, Any]:
        with np.load(TRUTH) as arrays:
            truth = arrays["positions"].astype(np.float32)
        error = np.linalg.norm(trajectory - truth, axis=-1).mean()
        still = np.linalg.norm(truth[:1] - truth, axis=-1).mean()
        return {
            "frames": trajectory.shape[0],
            "vertices": trajectory.shape[1],
            "error": {
                "unit": "the mesh's longest side",
                "mean_vertex_error": round(float(error), 5),
                "of_the_still_mesh": round(float(still), 5),
                "ratio": round(float(error / still), 4),
            },
            "seconds": {**self.seconds, "total": round(seconds, 2)},
            "backend": animation.report,
        }

    def say_end(self, report: dict[str, Any]) -> None:
        error = report["error"]
        print(
            f"\n{report['frames']} frames of {report['vertices']} vertices in {report['seconds']['total']:.0f} s. "
            f"Mean vertex error {error['mean_vertex_error']:.4f} of the longest side, "
            f"{error['ratio']:.2f} of the still mesh's.\nResults in {self.folder}:",
            file=self.out,
        )
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            print(f"  {path.relative_to(self.folder)!s:40} {path.stat().st_size / 1e3:9.1f} kB", file=self.out)

    def stop_backend(self) -> None:
        if self._installed:
            self.addon("job.backend").stop()


def quiet_blender(log: Path) -> TextIO:
    """Sends what Blender and its libraries print to a log; what is returned, and sys.stderr, still print as before."""
    terminal = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return terminal


if __name__ == "__main__":
    # Before bpy is imported, which reads it only then. Made anew each time: Blender leaves an installed wheel as it is
    # when the same version comes again, whatever is in it.
    user_folder = HERE.parent / ".cache" / "demo-blender"
    shutil.rmtree(user_folder, ignore_errors=True)
    os.environ["BLENDER_USER_RESOURCES"] = str(user_folder)
    code = main()
    sys.stderr.flush()
    os._exit(code)  # Blender as a module can wait for its own threads for ever when Python ends
