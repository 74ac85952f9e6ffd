"""Makes an animated, coloured mesh from a video, stage after stage."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motion324.blender.blender_reading import find_blender
from motion324.core.clip import VideoClip
from motion324.core.errors import Motion324Error
from motion324.core.files.frame_storage import ByteMasks, Masks
from motion324.core.files.input_files import file_state
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.animate_options import AnimateOptions, names_mask_files
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import Progress
from motion324.core.view import View
from motion324.from_video import pictures
from motion324.from_video.exports import as_webm, write_fbx, write_preview, write_turntable
from motion324.from_video.page import PageInputs, write_page
from motion324.from_video.stages import Make, Stage, StageFolder, plain_view, stage_key, view_of
from motion324.mesh.files.gltf_writing import write_glb
from motion324.mesh.files.reading import read_mesh
from motion324.mesh_providers.interface import MeshProvider, ObjectPicture
from motion324.mesh_providers.registry import get_provider
from motion324.pipeline.animate import animate
from motion324.pipeline.camera import steady_images, steady_masks
from motion324.reconstructors.registry import get_reconstructor
from motion324.trajectories.result_files import TRAJECTORY, KeepOptions
from motion324.video.decoding import read_video
from motion324.video.foreground import check_mask_option, find_masks
from motion324.video.foreground.masks import ForegroundMasks, from_first_object
from motion324.video.shots import from_first_picture

log = logging.getLogger(__name__)

FRAMES, MASKS, CROPS = "frames", "masks", "crops"
MESH, ANIMATED, FBX, TURNTABLE, TURNTABLE_ON_PAGE, PREVIEW, PAGE = (
    "mesh.glb",
    "animated.glb",
    "animated.fbx",
    "turntable.mp4",
    "turntable.webm",
    "preview.webm",
    "index.html",
)


class Way:
    """The stages of one video; `done` are those that are."""

    def __init__(
        self,
        video: Path,
        folder: StageFolder,
        options: AnimateOptions,
        mesh_settings: MeshSettings,
        blender: Path | None,
        progress: Progress,
    ) -> None:
        """Raises Motion324Error("blender-not-found") where `blender` is given and missing."""
        self._video, self._folder, self._root = video, folder, folder.root
        self._options, self._mesh_settings = options, mesh_settings
        self._blender = find_blender(blender)
        self._progress = progress
        self._inputs = _inputs(video, options, mesh_settings)
        self.done: dict[str, Stage] = {}

    def check(self) -> None:
        """Raises Motion324Error where it can be known, before any work, that a stage cannot be done that has to be."""
        if self._folder.kept(MASKS, self._inputs[MASKS]) is None:
            check_mask_option(self._options.mask)
        mesh = self._folder.kept("mesh", self._inputs["mesh"])
        if mesh is None:
            get_provider(self._mesh_settings, self._blender)
        if mesh is None or self._folder.kept("animation", self._animation_inputs(mesh)) is None:
            get_reconstructor(self._options, self._progress)

    def frames(self) -> VideoClip:
        def make(staging: Path) -> dict[str, Any]:
            clip = read_video(self._video, self._options.frames, self._progress, self._options.video_fps)
            if not names_mask_files(self._options.mask):  # which has one for each of these frames
                clip = from_first_picture(clip)
            shown = clip.frames
            if clip.alpha is not None:
                shown = np.concatenate([shown, clip.alpha[..., None]], axis=3)
            pictures.write_pictures(staging / FRAMES, shown, "read", self._progress)
            return {
                "frame_numbers": clip.frame_numbers.tolist(),
                "fps": clip.fps,
                "name": clip.name,
                "warnings": list(clip.warnings),
            }

        found, stored = self._do_pictures(FRAMES, "read", make)
        return VideoClip(
            frames=np.ascontiguousarray(stored[..., :3]),
            fps=float(found["fps"]),
            frame_numbers=np.array(found["frame_numbers"], np.int64),
            alpha=np.ascontiguousarray(stored[..., 3]) if stored.shape[3] == 4 else None,
            name=found["name"],
            warnings=tuple(found["warnings"]),
        )

    def masks(self, clip: VideoClip) -> tuple[VideoClip, ForegroundMasks]:
        """The clip from the first frame on that shows an object, and the masks of its frames."""

        def make(staging: Path) -> dict[str, Any]:
            found = find_masks(clip, self._options.mask, self._progress)
            stored = ByteMasks.of(found.masks).levels
            pictures.write_pictures(staging / MASKS, stored, "foreground", self._progress)
            return {"method": found.method, "warnings": list(found.warnings)}

        found, stored = self._do_pictures(MASKS, "foreground", make)
        masks = ForegroundMasks(ByteMasks(stored), found["method"], tuple(found["warnings"]))
        return from_first_object(clip, masks)

    def crops(self, clip: VideoClip, foreground: ForegroundMasks) -> None:
        def make(staging: Path) -> dict[str, Any]:
            return {"square": pictures.write_crops(staging / CROPS, clip, foreground.masks, self._progress)}

        self._do(CROPS, self._inputs[CROPS], make)

    def mesh(self, clip: VideoClip, foreground: ForegroundMasks) -> View | None:
        """The camera that sees the mesh as the first frame does; None where it has to be found."""

        def make(staging: Path) -> dict[str, Any]:
            provider: MeshProvider = get_provider(self._mesh_settings, self._blender)
            if provider.licence:
                log.warning("%s", provider.licence)
            picture = ObjectPicture(clip.frames[0], foreground.masks[0], Path(clip.name).stem)
            provided = provider.provide(picture, self._progress)
            write_glb(staging / MESH, provided.mesh)
            return {
                "provider": provider.name,
                "licence": provider.licence,
                "view": plain_view(provided.view),
                "rough_view": provided.rough_view,
                "details": provided.details,
                "warnings": list(provided.mesh.warnings),
                "vertices": len(provided.mesh.positions),
                "faces": len(provided.mesh.faces),
            }

        view = self._do("mesh", self._inputs["mesh"], make).result["view"]
        return None if view is None else view_of(view)

    def animation(self, clip: VideoClip, foreground: ForegroundMasks, view: View | None) -> None:
        mesh = self.done["mesh"]

        def make(staging: Path) -> dict[str, Any]:
            result = animate(
                read_mesh(self._root / MESH),
                clip,
                self._options_for(mesh),
                progress=self._progress,
                keep=KeepOptions(staging, overlay=True),
                foreground=foreground,
                view=view,
            )
            return {
                "reconstructor": result.report["reconstructor"],
                "silhouette_overlap": result.report["silhouette_overlap"],
                "warnings": result.report["warnings"],
                "seconds": result.report["seconds"],
                "fps": result.fps,
                "device": result.report["reconstruction"].get("device", "cpu"),
            }

        self._do("animation", self._animation_inputs(mesh), make)

    def _options_for(self, mesh: Stage) -> AnimateOptions:
        """Where the mesh's provider does not know the camera, it may know roughly where to look for it."""
        if mesh.result["view"] is None and self._options.view == "auto":
            return dataclasses.replace(self._options, view=mesh.result["rough_view"])
        return self._options

    def _animation_inputs(self, mesh: Stage) -> dict[str, Any]:
        known = ("frames", "video_fps", "mask", *(("view",) if mesh.result["view"] else ()))  # by the stages before
        values = self._options_for(mesh).to_dict()
        given = {name: value for name, value in values.items() if name not in known}
        weights = {"weights_file": file_state(Path(self._options.weights))} if self._options.weights else {}
        return {"mesh": mesh.key, "options": given, **weights}

    def exports(self) -> None:
        """GLB always; FBX and turntable where a Blender can make them, and a warning where not."""

        def glb(staging: Path) -> dict[str, Any]:
            self._progress("write", 0, 1)
            trajectory = load_trajectory(self._root / TRAJECTORY)
            write_glb(staging / ANIMATED, read_mesh(self._root / MESH), trajectory.positions, trajectory.fps)
            return {}

        def fbx(blender: Path, staging: Path) -> None:
            fps = load_trajectory(self._root / TRAJECTORY).fps
            write_fbx(staging / FBX, self._root / ANIMATED, fps, blender, self._progress)

        def turntable(blender: Path, staging: Path) -> None:
            trajectory, mesh = load_trajectory(self._root / TRAJECTORY), read_mesh(self._root / MESH)
            write_turntable(staging / TURNTABLE, mesh, trajectory, blender, self._progress)

        self._do("export", {"animation": self._key("animation")}, glb)
        self._through_blender("fbx", FBX, fbx)
        self._through_blender("turntable", TURNTABLE, turntable)

    def _through_blender(self, name: str, product: str, write: Callable[[Path, Path], None]) -> None:
        """A stage that all the rest is of use without. A product of an earlier animation does not stay."""
        inputs = {"animation": self._key("animation")}

        def make(staging: Path) -> dict[str, Any]:
            if self._blender is None:
                raise Motion324Error("blender-not-found", "No Blender was found.", "Name one with --blender.")
            write(self._blender, staging)
            return {}

        try:
            self._do(name, inputs, make)
        except Motion324Error as error:
            if error.code not in ("blender-not-found", "export-failed", "render-failed"):  # the last: without libEGL
                raise
            self._folder.drop(name)
            log.warning("There is no %s: %s", product, error)

    def page(self, clip: VideoClip, foreground: ForegroundMasks) -> None:
        def make(staging: Path) -> dict[str, Any]:
            trajectory, mesh = load_trajectory(self._root / TRAJECTORY), read_mesh(self._root / MESH)
            films: list[tuple[Path, str]] = []
            seen, masks = _as_used(clip, foreground.masks, trajectory.camera_to_first, self._progress)
            if write_preview(staging / PREVIEW, seen, masks, mesh, trajectory, self._progress):
                films.append((staging / PREVIEW, "input, outline of the mask, result, result from its left"))
            if "turntable" in self.done:
                turning = staging / TURNTABLE_ON_PAGE
                if as_webm(self._root / TURNTABLE, turning, self._progress):
                    films.append((turning, "once around the result"))
            files = {product.name for folder in (self._root, staging) for product in folder.iterdir()}
            inputs = PageInputs(
                seen,
                dataclasses.replace(foreground, masks=masks),
                mesh,
                trajectory,
                dict(self.done),
                tuple(films),
                tuple(files),
            )
            write_page(staging / PAGE, inputs, self._progress)
            return {}

        stages = {name: stage.key for name, stage in self.done.items()}
        self._do("page", stages, make)

    def _do_pictures(self, name: str, stage: str, make: Make) -> tuple[dict[str, Any], np.ndarray]:
        """The stage's result and its pictures; where those that were kept are damaged, it is done again."""
        done = self._do(name, self._inputs[name], make)
        try:
            return done.result, pictures.read_pictures(self._root / name, stage, self._progress)
        except ValueError as error:
            log.warning("%s; '%s' is made again.", error, self._root / name)
        self._folder.drop(name)
        done = self._do(name, self._inputs[name], make)
        return done.result, pictures.read_pictures(self._root / name, stage, self._progress)

    def _do(self, name: str, inputs: dict[str, Any], make: Make) -> Stage:
        self.done[name] = self._folder.do(name, inputs, make)
        return self.done[name]

    def _key(self, name: str) -> str:
        return self.done[name].key


def _as_used(clip: VideoClip, masks: Masks, to_first: np.ndarray | None, progress: Progress) -> tuple[VideoClip, Masks]:
    """Clip and masks as the camera shows them that the result is seen through, which stands still."""
    if to_first is None:
        return clip, masks
    frames = steady_images(clip.frames, to_first, progress)
    return dataclasses.replace(clip, frames=frames), steady_masks(masks, to_first, progress)


def _inputs(video: Path, options: AnimateOptions, mesh_settings: MeshSettings) -> dict[str, dict[str, Any]]:
    """What the stages up to the mesh depend on, by their names."""
    frames = {"video": file_state(video), "frames": list(options.frames), "video_fps": options.video_fps}
    masks: dict[str, Any] = {"frames": stage_key(FRAMES, frames), "mask": options.mask}
    if names_mask_files(options.mask):
        masks["given"] = file_state(Path(options.mask))
    of_masks = {"masks": stage_key(MASKS, masks)}
    mesh = {**of_masks, **mesh_settings.relevant()}
    if mesh_settings.provider == "file" and mesh_settings.file is not None:
        mesh["file"] = file_state(mesh_settings.file)
    return {FRAMES: frames, MASKS: masks, CROPS: of_masks, "mesh": mesh}
