"""Tells how well an animation lies on its video, frame by frame, and shows on the mesh where it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.inside_blender.mesh.surface import COLOUR_BEFORE_DOUBT, DOUBT

from ..reading.mesh_reading import check_own
from .kept_note import Source

WORST = 3  # frames that are told
APART = 0.08  # of the whole animation: how far these lie apart at least
TRUSTED, DOUBTED = (0.12, 0.35, 0.8, 1.0), (0.9, 0.1, 0.05, 1.0)  # colours, linear


@dataclass(frozen=True)
class Fit:
    """mean: overlap of the silhouettes over all frames, 0..1. worst: (frame of the scene, overlap), the worst first."""

    mean: float
    worst: tuple[tuple[int, float], ...]


def fit_of(source: Source | None) -> Fit | None:
    """None where that is not known, as of results of earlier versions."""
    if source is None or not source.overlaps:
        return None
    overlaps = np.array(source.overlaps)
    apart = max(1, round(APART * len(overlaps)))
    worst: list[int] = []
    for index in np.argsort(overlaps, kind="stable").tolist():
        if len(worst) < WORST and all(abs(index - other) >= apart for other in worst):
            worst.append(index)
    first, last = source.timing.whole_frames
    frames = [min(max(round(source.timing.frame(index)), first), last) for index in worst]
    told = zip(frames, overlaps[worst].tolist(), strict=True)
    return Fit(float(overlaps.mean()), tuple(told))


def shows_doubt(obj: bpy.types.Object) -> bool:
    return obj.data.color_attributes.get(DOUBT) is not None


def show_doubt(obj: bpy.types.Object, doubt: np.ndarray) -> None:
    """Colours the mesh: what is trusted blue, what is doubted red; doubt (N,) in [0, 1].

    Raises Motion324Error("linked-object").
    """
    check_own(obj)
    mesh = obj.data
    active = mesh.color_attributes.active_color
    if active is not None and active.name != DOUBT:
        mesh[COLOUR_BEFORE_DOUBT] = active.name
    attribute = mesh.color_attributes.get(DOUBT) or mesh.color_attributes.new(DOUBT, "FLOAT_COLOR", "POINT")
    part = np.clip(doubt.astype(np.float32), 0, 1)[:, None]
    colours = (1 - part) * np.array(TRUSTED) + part * np.array(DOUBTED)
    attribute.data.foreach_set("color", colours.astype(np.float32).ravel())
    mesh.color_attributes.active_color = attribute
    mesh.update()


def hide_doubt(obj: bpy.types.Object) -> None:
    mesh = obj.data
    attribute = mesh.color_attributes.get(DOUBT)
    if attribute is not None:
        mesh.color_attributes.remove(attribute)
    before = mesh.color_attributes.get(mesh.pop(COLOUR_BEFORE_DOUBT, ""))
    if before is not None:
        mesh.color_attributes.active_color = before
