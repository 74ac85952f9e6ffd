"""Holds what one job leaves as plain data: an animation, an examination or a mesh."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View


@dataclass(frozen=True)
class AnimationResult:
    """The trajectory of a reference mesh. T frames, N vertices.

    positions (T, N, 3) float32: in the mesh's own coordinates and vertex order; frame 0 is the reference mesh itself,
        unless report["pose"] tells that it has another pose than the first frame of the video.
    frame_numbers (T,) int: which frames of the video these are, counted from 0.
    fps: frames per second at which the positions are to be played.
    view: the camera that filmed the first frame, relative to the reference mesh in normalised space.
    report: plain JSON values: seconds per stage, warnings (code and sentence each), silhouette overlap, versions, ...
    camera_to_first (T, 3, 3) float64: where the camera's motion was taken off the video, the homographies of each
        frame's picture to the first one's, in units of the picture's height; None where it was not.
    doubt (T, N) or (1, N) float16 in [0, 1]: how far each vertex is expected to lie off in each frame, 1 for a
        twentieth of the mesh's longest side or more; or, where no reconstructor tells that, for all frames alike how
        little the video says about it, 1 where it was never seen or lies beside the masks. None where neither is known.
    """

    positions: np.ndarray
    frame_numbers: np.ndarray
    fps: float
    view: View
    report: dict[str, Any] = field(default_factory=dict)
    camera_to_first: np.ndarray | None = None
    doubt: np.ndarray | None = None


@dataclass(frozen=True)
class Examination:
    """What a quick look at a video tells before it is animated after. H, W: the picture as the backend works with it,
    which may be smaller than the video's own.

    frame (H, W, 3) uint8 sRGB: the first used frame. mask (H, W) float32 in [0, 1]: 1 where it shows the object.
    mask_method: how the mask was found: "alpha", "plain", "rembg" or "given".
    frame_number: the first used frame's, counted from 0. used_count: how many frames the range takes.
    frame_count, fps, size (width, height): of the whole video, as its file says.
    warnings: {"code", "sentence"} of what the user should know.
    view, silhouette_overlap: the camera that sees the mesh as the frame shows it, relative to the mesh in normalised
        space, and the intersection over union of both silhouettes; None where no mesh was given.
    """

    frame: np.ndarray
    mask: np.ndarray
    mask_method: str
    frame_number: int
    frame_count: int
    used_count: int
    fps: float
    size: tuple[int, int]
    warnings: tuple[dict[str, str], ...] = ()
    view: View | None = None
    silhouette_overlap: float | None = None


@dataclass(frozen=True)
class MadeMesh:
    """A mesh made from a video's first used frame.

    mesh: coloured, in the pose of that frame; up is "Y", its front +Z, its longest side about 1.
    rough_view: from where the video sees it, as AnimateOptions.view says it.
    frame_number: the first used frame's, counted from 0. mask_method: as Examination has it.
    provider: one of motion324.core.options.mesh_settings.MESH_PROVIDERS. licence: what restricts the use of its
        meshes, in a sentence; empty where nothing does.
    warnings: {"code", "sentence"} of what the user should know. details: plain JSON values on how the mesh came about.
    """

    mesh: ReferenceMesh
    rough_view: str
    frame_number: int
    mask_method: str
    provider: str
    licence: str = ""
    warnings: tuple[dict[str, str], ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
