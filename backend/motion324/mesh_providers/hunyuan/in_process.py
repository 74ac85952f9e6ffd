"""Is the provider `hunyuan3d`: Hunyuan3D-2's package `hy3dgen` and its weights, in the backend's own process.

Nothing is downloaded here: the package would fetch missing weights by itself, so they are looked for first.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.options.mesh_settings import HUNYUAN_LICENCE, MeshSettings
from motion324.core.progress import Progress
from motion324.mesh_providers.hunyuan.finishing import finished, object_on_square
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh

log = logging.getLogger(__name__)

SHAPE_FOLDER = "hunyuan3d-dit-v2-0"
PAINT_FOLDERS = ("hunyuan3d-delight-v2-0", "hunyuan3d-paint-v2-0")
SHAPE_STEPS = 50  # of the flow from noise to shape: the package's own default
TICK = 0.1  # seconds between two reports


class HunyuanProvider:
    """Shape, then paint; see MeshProvider. The models are loaded for one picture, and let go after it."""

    name = "hunyuan3d"
    licence = HUNYUAN_LICENCE

    def __init__(self, settings: MeshSettings) -> None:
        self._settings = settings

    def check(self) -> None:
        """Raises Motion324Error("hunyuan-missing" or "hunyuan-weights-missing")."""
        if importlib.util.find_spec("hy3dgen") is None:
            raise Motion324Error(
                "hunyuan-missing",
                "The mesh provider hunyuan3d needs the package hy3dgen in the backend's Python, which is not there.",
                "Install it from https://github.com/Tencent-Hunyuan/Hunyuan3D-2, or use --mesh-provider inflate.",
                EXIT_BACKEND,
            )
        weights_folder(self._settings.model)

    def provide(self, picture: ObjectPicture, progress: Progress) -> ProvidedMesh:
        """Raises Motion324Error: "no-foreground", "hunyuan-failed" with the package's own words; Cancelled."""
        weights = weights_folder(self._settings.model)
        with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
            path = Path(folder) / "mesh.glb"
            work = _Work(progress)
            work.wait_for(lambda: self._make(picture, weights, path, work))
            return finished(path, picture, self._settings.faces, progress)

    def _make(self, picture: ObjectPicture, weights: Path, path: Path, work: _Work) -> None:
        """Writes the mesh to `path`; runs on a thread, so that the caller can report and be cancelled meanwhile."""
        import torch
        from hy3dgen.shapegen import (  # type: ignore[import-not-found, unused-ignore]
            DegenerateFaceRemover,
            FaceReducer,
            FloaterRemover,
            Hunyuan3DDiTFlowMatchingPipeline,
        )
        from PIL import Image

        device = "cuda" if torch.cuda.is_available() else "cpu"
        image = Image.fromarray(object_on_square(picture), "RGBA")
        pipeline = Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(str(weights), device=device)
        noise = torch.Generator(device).manual_seed(self._settings.seed)
        mesh = pipeline(
            image=image,
            num_inference_steps=SHAPE_STEPS,
            generator=noise,
            callback=lambda step, *rest: work.step(step + 1),
            callback_steps=1,
        )[0]
        mesh = DegenerateFaceRemover()(FloaterRemover()(mesh))
        mesh = FaceReducer()(mesh, max_facenum=self._settings.faces)
        del pipeline
        if self._settings.texture:
            mesh = _painted(mesh, image, weights)
        work.step(SHAPE_STEPS)
        mesh.export(str(path))


def weights_folder(model: str) -> Path:
    """Where the weights lie on this machine. Raises Motion324Error("hunyuan-weights-missing").

    model: a folder, or a name on the hub, looked for where the package keeps its own (the variable HY3DGEN_MODELS) and
    in the hub's cache.
    """
    own = Path(os.environ.get("HY3DGEN_MODELS", "~/.cache/hy3dgen")).expanduser()
    for folder in (Path(model).expanduser(), own / model, _in_hub_cache(model)):
        if folder is not None and (folder / SHAPE_FOLDER).is_dir():
            return folder.resolve()
    raise Motion324Error(
        "hunyuan-weights-missing",
        f"The weights of Hunyuan3D-2 were not found as '{model}' on this machine, and are not downloaded unasked.",
        f"Read the licence at https://huggingface.co/{model}, then fetch them with `hf download {model}`.",
        EXIT_BACKEND,
    )


def _in_hub_cache(model: str) -> Path | None:
    try:
        from huggingface_hub import snapshot_download  # type: ignore[import-not-found, unused-ignore]

        return Path(snapshot_download(model, local_files_only=True))
    except Exception:  # not installed, not in the cache, or no name of a repository
        return None


def _painted(mesh: Any, image: Any, weights: Path) -> Any:
    """The mesh with a texture; as it is, with a warning, where the package's second half is not installed."""
    if not all((weights / folder).is_dir() for folder in PAINT_FOLDERS):
        log.warning("The mesh is coloured from the picture: '%s' has no weights that paint.", weights)
        return mesh
    try:
        from hy3dgen.texgen import Hunyuan3DPaintPipeline  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:  # its rasteriser has to be compiled
        log.warning("The mesh is coloured from the picture: hy3dgen.texgen cannot be loaded (%s).", error)
        return mesh
    return Hunyuan3DPaintPipeline.from_pretrained(str(weights))(mesh, image=image)


class _Work:
    """A call on a thread of its own, watched by the thread that reports."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self._stopping = threading.Event()

    def step(self, done: int) -> None:
        """Called by the work; ends it where the job has been cancelled."""
        self._done = min(done, SHAPE_STEPS)
        if self._stopping.is_set():
            raise InterruptedError

    def wait_for(self, call: Callable[[], None]) -> None:
        """Raises what the progress raises, the work ending at its next step; or Motion324Error for what the call
        raises."""
        problems: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:
                problems.append(error)

        thread = threading.Thread(target=run, name="hunyuan3d", daemon=True)
        self._progress("mesh", 0, SHAPE_STEPS)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(TICK)
                self._progress("mesh", self._done, SHAPE_STEPS)
        finally:
            self._stopping.set()
        if problems:
            if isinstance(problems[0], Motion324Error | MemoryError):
                raise problems[0]
            said = str(problems[0]).strip().splitlines()
            raise Motion324Error(
                "hunyuan-failed",
                f"Hunyuan3D-2 made no mesh: {type(problems[0]).__name__}: {said[0] if said else 'no reason given'}.",
                "Check its installation with its own examples, or use --mesh-provider inflate.",
                EXIT_BACKEND,
            ) from problems[0]
