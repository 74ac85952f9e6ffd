"""Notes on an object what it knows about its kept animation: custom properties, which are saved and undone with it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from motion324.core.inside_blender.rig.binding import Binding
from motion324.core.reference_mesh import Normalisation
from motion324.core.view import View

from ..reading.modifier_stack import motion_of_its_own
from . import takes
from .animation import Animation
from .timing import Timing

FRAMES = "motion324_frames"
SOURCE = "motion324_source"
PUT_BACK = "motion324_put_back"
TOKEN = "motion324_kept"  # another one for every result that is kept


@dataclass(frozen=True)
class Source:
    """Where an animation came from, as far as an overlay needs it.

    video: its path. frame_numbers (T,): those of its frames that the animation shows, at `timing`. view: the camera, in
    the normalised space that `space` relates to the world. matrix (4, 4): of the object, when `space` was taken.
    camera_to_first (T, 3, 3): where the camera's motion was taken off the video, as AnimationResult has it.
    overlaps: of the silhouettes of result and video, for each of these frames; match: for the first one of the job,
    whose picture has the width over height `aspect`; empty and None where that is not known.
    """

    video: Path
    frame_numbers: np.ndarray
    timing: Timing
    view: View
    space: Normalisation
    matrix: np.ndarray | None = None
    camera_to_first: np.ndarray | None = None
    overlaps: tuple[float, ...] = ()
    match: float | None = None
    aspect: float | None = None


@dataclass(frozen=True)
class PutBack:
    """What keeping has changed besides adding the animation.

    modifiers: name, show_viewport and show_render of those that it switched off. basis: whether it added the first key.
    armature: the object whose bones were keyed, which has a note of its own (motion324.core.inside_blender.rig.keying).
    made_armature: the one that was made for it. bound: what binds it to `armature`, where nothing did before.
    muted: the data paths of the modifiers' switches whose curves and drivers it muted. nla: what of the shape keys' NLA
    editor it changed, as motion324.core.inside_blender.nla has it.
    """

    modifiers: tuple[tuple[str, bool, bool], ...] = ()
    basis: bool = False
    armature: str = ""
    made_armature: str = ""
    bound: Binding | None = None
    muted: tuple[str, ...] = ()
    nla: dict[str, Any] | None = None


def source_of(animation: Animation) -> Source | None:
    """None where the animation does not know."""
    if animation.video is None or animation.space is None or animation.view is None:
        return None
    return Source(
        video=animation.video,
        frame_numbers=animation.frame_numbers,
        timing=animation.timing,
        view=animation.view,
        space=animation.space,
        matrix=animation.matrix,
        camera_to_first=animation.camera_to_first,
        overlaps=animation.overlaps,
        match=animation.report.get("silhouette_overlap"),
        aspect=animation.aspect,
    )


def write(obj: bpy.types.Object, animation: Animation, put_back: PutBack, written: takes.Written | None) -> None:
    """written: the animation's take, see `takes.write_in_steps`."""
    first, last = animation.timing.whole_frames
    obj[FRAMES] = [first, last]
    obj[TOKEN] = uuid.uuid4().hex
    takes.store(obj, animation, written)
    source = source_of(animation)
    if source is not None:
        obj[SOURCE] = json.dumps(_as_json(source))
    before = read_put_back(obj)
    known = {name for name, _, _ in before.modifiers}
    modifiers = before.modifiers + tuple(each for each in put_back.modifiers if each[0] not in known)
    obj[PUT_BACK] = json.dumps(
        {
            "modifiers": modifiers,
            "basis": before.basis or put_back.basis,
            "armature": put_back.armature or before.armature,
            "made_armature": put_back.made_armature or before.made_armature,
            "bound": _plain(put_back.bound or before.bound),
            "muted": (*before.muted, *(path for path in put_back.muted if path not in before.muted)),
            "nla": before.nla or put_back.nla,
        }
    )


def read_source(obj: bpy.types.Object) -> Source | None:
    """None where nothing is noted that can be read."""
    try:
        return _from_json(json.loads(obj[SOURCE]))
    except (KeyError, TypeError, ValueError):
        return None


def moved_since(obj: bpy.types.Object, matrix: np.ndarray | None) -> Matrix | None:
    """What the object's matrix was multiplied with, from the left, since it was `matrix` (4, 4).

    None where that is not known, or where it moves anyway, so that its place now tells nothing.
    """
    if matrix is None or motion_of_its_own(obj):
        return None
    before = Matrix(matrix.tolist())
    return obj.matrix_world @ before.inverted() if before != obj.matrix_world and before.determinant() else None


def token_of(obj: bpy.types.Object) -> str:
    """What the kept animation is known by; "" where there is none."""
    return str(obj.get(TOKEN, ""))


def read_put_back(obj: bpy.types.Object) -> PutBack:
    try:
        values = json.loads(obj[PUT_BACK])
        modifiers = tuple((str(name), bool(viewport), bool(render)) for name, viewport, render in values["modifiers"])
        bones = str(values.get("armature", "")), str(values.get("made_armature", ""))
        bound = Binding(*map(str, values["bound"])) if values.get("bound") else None
        muted, way = tuple(map(str, values.get("muted", ()))), values.get("nla")
        return PutBack(modifiers, bool(values["basis"]), *bones, bound, muted, way)
    except (KeyError, TypeError, ValueError):
        return PutBack()


def _plain(bound: Binding | None) -> list[str] | None:
    return None if bound is None else [bound.modifier, bound.parent_type]


def taken(obj: bpy.types.Object) -> dict[str, Any]:
    """All notes, for `put_without_bones`."""
    plain = {name: obj[name] for name in (SOURCE, PUT_BACK, TOKEN) if name in obj}
    return {FRAMES: list(obj[FRAMES]), **plain} if FRAMES in obj else plain


def put_without_bones(obj: bpy.types.Object, notes: dict[str, Any]) -> None:
    """Puts the notes on the object again, but for bones that were taken off it since, and modifiers that went with
    them."""
    for name, value in notes.items():
        obj[name] = value
    values = json.loads(obj[PUT_BACK])
    values["modifiers"] = [each for each in values["modifiers"] if each[0] in obj.modifiers]
    obj[PUT_BACK] = json.dumps({**values, "armature": "", "made_armature": "", "bound": None})


def erase(obj: bpy.types.Object) -> None:
    for name in (FRAMES, SOURCE, PUT_BACK, TOKEN):
        if name in obj:
            del obj[name]


def _as_json(source: Source) -> dict[str, Any]:
    view, space, timing = source.view, source.space, source.timing
    return {
        "video": str(source.video),
        "frame_numbers": np.asarray(source.frame_numbers).tolist(),
        "timing": [timing.start, timing.step, timing.count],
        "view": {
            "rotation": np.asarray(view.rotation).tolist(),
            "translation": np.asarray(view.translation).tolist(),
            "focal": float(view.focal),
            "centre": list(view.centre),
        },
        "space": {"centre": np.asarray(space.centre).tolist(), "scale": float(space.scale), "up": space.up},
        "matrix": None if source.matrix is None else source.matrix.tolist(),
        "overlaps": source.overlaps,
        "match": source.match,
        "aspect": source.aspect,
        "camera_to_first": None if source.camera_to_first is None else source.camera_to_first.tolist(),
    }


def _from_json(values: dict[str, Any]) -> Source:
    view, space, (start, step, count) = values["view"], values["space"], values["timing"]
    x, y = view["centre"]
    matrix = np.array(values["matrix"], float).reshape(4, 4) if values.get("matrix") else None
    numbers = np.array(values["frame_numbers"], int)
    moving = np.array(values["camera_to_first"], float) if values.get("camera_to_first") else None
    return Source(
        video=Path(values["video"]),
        frame_numbers=numbers,
        timing=Timing(float(start), float(step), int(count)),
        view=View(np.array(view["rotation"]), np.array(view["translation"]), float(view["focal"]), (x, y)),
        space=Normalisation(np.array(space["centre"]), float(space["scale"]), str(space["up"])),
        matrix=matrix,
        camera_to_first=None if moving is None else moving.reshape(len(numbers), 3, 3),
        overlaps=tuple(float(value) for value in values.get("overlaps") or ()),
        match=None if values.get("match") is None else float(values["match"]),
        aspect=None if values.get("aspect") is None else float(values["aspect"]),
    )
