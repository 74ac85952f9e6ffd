"""Converts meshes, video clips, views and results to JSON values and named arrays, and back with checks.

Every `..._to_wire(thing, arrays)` returns JSON values and puts its arrays into `arrays`; contiguous arrays of the right
type are not copied. Every `..._from_wire(fields)` raises Motion324Error("bad-message") where something does not fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.core.view import View
from motion324.wire.message import Arrays, MessageFields

MAX_MATERIALS = 2048
MAX_VALUES = 10_000  # entries of a mesh's metadata
MAX_WARNINGS = 1000


def mesh_to_wire(mesh: ReferenceMesh, arrays: Arrays) -> dict[str, Any]:
    arrays["mesh.positions"] = np.asarray(mesh.positions, np.float32)
    arrays["mesh.faces"] = np.asarray(mesh.faces, np.int32)
    arrays["mesh.face_material"] = np.asarray(mesh.face_material, np.int32)
    if mesh.corner_uv is not None:
        arrays["mesh.corner_uv"] = np.asarray(mesh.corner_uv, np.float32)
    if mesh.vertex_colour is not None:
        arrays["mesh.vertex_colour"] = np.asarray(mesh.vertex_colour, np.float32)
    return {
        "name": mesh.name,
        "up": mesh.up,
        "metadata": dict(mesh.metadata),
        "materials": _materials_to_wire(mesh.materials, arrays),
    }


def mesh_from_wire(fields: MessageFields) -> ReferenceMesh:
    positions = fields.array("mesh.positions", "float32", ("N", 3))
    materials = _materials_from_wire(fields)
    up = fields.text("up")
    if up not in ("Y", "Z"):
        raise fields.wrong("up", f"is {up!r}; it must be Y or Z")
    metadata = fields.record("metadata")
    if len(metadata) > MAX_VALUES or not all(isinstance(value, str) for value in metadata.values()):
        raise fields.wrong("metadata", f"must map at most {MAX_VALUES} names to texts")
    return ReferenceMesh(
        positions=positions,
        faces=fields.indices("mesh.faces", ("F", 3), below=len(positions)),
        face_material=fields.indices("mesh.face_material", ("F",), below=len(materials)),
        materials=materials,
        corner_uv=_optional(fields, "mesh.corner_uv", ("F", 3, 2)),
        vertex_colour=_optional(fields, "mesh.vertex_colour", ("N", 3)),
        up=up,
        name=fields.text("name"),
        metadata=metadata,
    )


def clip_to_wire(clip: VideoClip, arrays: Arrays) -> dict[str, Any]:
    arrays["video.frames"] = np.asarray(clip.frames, np.uint8)
    arrays["video.frame_numbers"] = np.asarray(clip.frame_numbers, np.int64)
    if clip.alpha is not None:
        arrays["video.alpha"] = np.asarray(clip.alpha, np.uint8)
    return {"name": clip.name, "fps": float(clip.fps)}


def clip_from_wire(fields: MessageFields) -> VideoClip:
    fps = fields.number("fps")
    if fps <= 0:
        raise fields.wrong("fps", f"is {fps:g}; it must be above 0")
    frames = fields.array("video.frames", "uint8", ("T", "H", "W", 3))
    if not frames.size:
        count, height, width, _ = frames.shape
        raise Motion324Error(
            "video-empty",
            f"The video '{fields.text('name')[:80]}' has {count} frames of {width} x {height} pixels.",
            "Send frames that show something.",
            EXIT_BAD_VIDEO,
        )
    has_alpha = fields.has_array("video.alpha")
    return VideoClip(
        frames=frames,
        fps=fps,
        frame_numbers=fields.array("video.frame_numbers", "int64", ("T",)),
        alpha=fields.array("video.alpha", "uint8", ("T", "H", "W")) if has_alpha else None,
        name=fields.text("name"),
    )


def video_to_wire(video: Path | VideoClip, arrays: Arrays) -> dict[str, Any]:
    """A relative path is made absolute, since the backend lives elsewhere."""
    if isinstance(video, VideoClip):
        return {"clip": clip_to_wire(video, arrays)}
    return {"path": str(video.absolute())}


def video_from_wire(fields: MessageFields) -> Path | VideoClip:
    if fields.has("clip"):
        return clip_from_wire(fields.within("clip", fields.record("clip")))
    return Path(fields.text("path"))


def result_to_wire(result: AnimationResult, arrays: Arrays) -> dict[str, Any]:
    arrays["positions"] = np.asarray(result.positions, np.float32)
    arrays["frame_numbers"] = np.asarray(result.frame_numbers, np.int64)
    if result.camera_to_first is not None:
        arrays["camera_to_first"] = np.asarray(result.camera_to_first, np.float64)
    if result.doubt is not None:
        arrays["doubt"] = np.asarray(result.doubt, np.float16)
    return {"fps": float(result.fps), "view": view_to_wire(result.view, arrays), "report": result.report}


def result_from_wire(fields: MessageFields) -> AnimationResult:
    positions = fields.array("positions", "float32", ("T", "N", 3))
    return AnimationResult(
        positions=positions,
        frame_numbers=fields.array("frame_numbers", "int64", ("T",)),
        fps=fields.number("fps"),
        view=view_from_wire(fields.within("view", fields.record("view"))),
        report=fields.record("report"),
        camera_to_first=fields.array("camera_to_first", "float64", ("T", 3, 3))
        if fields.has_array("camera_to_first")
        else None,
        doubt=doubt_from_wire(fields, "doubt", len(positions)),
    )


def doubt_from_wire(fields: MessageFields, name: str, frames: int) -> np.ndarray | None:
    """As AnimationResult has it, of the vertices N that another array of the message has."""
    if not fields.has_array(name):
        return None
    doubt = fields.array(name, "float16", (None, "N"))
    if len(doubt) not in (1, frames):
        raise fields.wrong(name, f"tells of {len(doubt)} frames; it must be of {frames}, or of all alike")
    return doubt


def view_to_wire(view: View, arrays: Arrays) -> dict[str, Any]:
    arrays["view.rotation"] = np.asarray(view.rotation, np.float64)
    arrays["view.translation"] = np.asarray(view.translation, np.float64)
    return {"focal": float(view.focal), "centre": [float(value) for value in view.centre]}


def view_from_wire(fields: MessageFields) -> View:
    centre = fields.numbers("centre", 2)
    return View(
        rotation=fields.array("view.rotation", "float64", (3, 3)),
        translation=fields.array("view.translation", "float64", (3,)),
        focal=fields.number("focal"),
        centre=(centre[0], centre[1]),
    )


def examination_to_wire(examination: Examination, arrays: Arrays) -> dict[str, Any]:
    arrays["frame"] = np.asarray(examination.frame, np.uint8)
    arrays["mask"] = np.asarray(examination.mask, np.float32)
    overlap = examination.silhouette_overlap
    return {
        "mask_method": examination.mask_method,
        "frame_number": int(examination.frame_number),
        "frame_count": int(examination.frame_count),
        "used_count": int(examination.used_count),
        "fps": float(examination.fps),
        "size": [int(side) for side in examination.size],
        "warnings": list(examination.warnings),
        "view": None if examination.view is None else view_to_wire(examination.view, arrays),
        "silhouette_overlap": None if overlap is None else float(overlap),
    }


def examination_from_wire(fields: MessageFields) -> Examination:
    width, height = fields.numbers("size", 2)
    has_view = fields.has("view")
    return Examination(
        frame=fields.array("frame", "uint8", ("H", "W", 3)),
        mask=fields.array("mask", "float32", ("H", "W")),
        mask_method=fields.text("mask_method", 40),
        frame_number=fields.whole("frame_number"),
        frame_count=fields.whole("frame_count"),
        used_count=fields.whole("used_count"),
        fps=fields.number("fps"),
        size=(int(width), int(height)),
        warnings=tuple(_warning_from_wire(fields, value) for value in fields.items("warnings", MAX_WARNINGS)),
        view=view_from_wire(fields.within("view", fields.record("view"))) if has_view else None,
        silhouette_overlap=fields.number("silhouette_overlap") if fields.has("silhouette_overlap") else None,
    )


def made_mesh_to_wire(made: MadeMesh, arrays: Arrays) -> dict[str, Any]:
    return {
        "mesh": mesh_to_wire(made.mesh, arrays),
        "rough_view": made.rough_view,
        "frame_number": int(made.frame_number),
        "mask_method": made.mask_method,
        "provider": made.provider,
        "licence": made.licence,
        "warnings": list(made.warnings),
        "details": made.details,
    }


def made_mesh_from_wire(fields: MessageFields) -> MadeMesh:
    return MadeMesh(
        mesh=mesh_from_wire(fields.within("mesh", fields.record("mesh"))),
        rough_view=fields.text("rough_view", 100),
        frame_number=fields.whole("frame_number"),
        mask_method=fields.text("mask_method", 40),
        provider=fields.text("provider", 40),
        licence=fields.text("licence"),
        warnings=tuple(_warning_from_wire(fields, value) for value in fields.items("warnings", MAX_WARNINGS)),
        details=fields.record("details"),
    )


def _warning_from_wire(fields: MessageFields, value: Any) -> dict[str, str]:
    inner = fields.within("warnings", value)
    return {"code": inner.text("code", 100), "sentence": inner.text("sentence")}


def _materials_to_wire(materials: tuple[Material, ...], arrays: Arrays) -> list[dict[str, Any]]:
    """Materials that share one texture array send it once."""
    names: dict[int, str] = {}
    values = []
    for material in materials:
        value: dict[str, Any] = {"name": material.name, "base_colour": [float(c) for c in material.base_colour]}
        if material.texture is not None:
            name = names.setdefault(id(material.texture), f"texture.{len(names)}")
            arrays[name] = np.asarray(material.texture, np.uint8)
            value["texture"] = name
        values.append(value)
    return values


def _materials_from_wire(fields: MessageFields) -> tuple[Material, ...]:
    materials = []
    for value in fields.items("materials", MAX_MATERIALS):
        inner = fields.within("materials", value)
        red, green, blue, alpha = inner.numbers("base_colour", 4)
        texture = None
        if inner.has("texture"):
            texture = inner.array(inner.text("texture", limit=40), "uint8", (None, None, 4))
            if not texture.size:
                raise inner.wrong("texture", f"has {texture.shape[1]} x {texture.shape[0]} pixels")
        materials.append(Material(name=inner.text("name"), base_colour=(red, green, blue, alpha), texture=texture))
    if not materials:
        raise fields.wrong("materials", "is empty; a mesh has at least one material")
    return tuple(materials)


def _optional(fields: MessageFields, name: str, shape: tuple[int | str | None, ...]) -> np.ndarray | None:
    return fields.array(name, "float32", shape) if fields.has_array(name) else None
