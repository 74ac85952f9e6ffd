"""The formats that an animated object is exported to, and what each cannot carry of it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from motion324.core.blender_mesh.geometry import corner_vertices_of

from ..playing import keeping
from ..reading import modifier_stack


@dataclass(frozen=True)
class Format:
    """operator: the name in bpy.ops that has to exist, or None where the add-on writes the file itself.

    carries: what becomes of the animation, for the dialog. samples: whether the animation is baked anew, without the
    modifiers that change topology.
    """

    label: str
    operator: tuple[str, str] | None
    carries: str
    samples: bool


FORMATS = {
    ".fbx": Format("FBX", ("export_scene", "fbx"), "One shape key per frame, materials and pictures", True),
    ".glb": Format("GLB", ("export_scene", "gltf"), "One shape key per frame, materials and pictures", True),
    ".abc": Format("Alembic", ("wm", "alembic_export"), "One mesh per frame, exactly, with all modifiers", False),
    ".usd": Format("USD", ("wm", "usd_export"), "One mesh per frame, exactly, with all modifiers and materials", False),
    ".pc2": Format("PC2 Point Cache", None, "The places of all vertices, in the object's own axes (Z up)", True),
    ".mdd": Format("MDD Point Cache", None, "The places of all vertices, in the object's own axes (Z up)", True),
}
POINT_CACHES = (".pc2", ".mdd")


def available(kind: Format) -> bool:
    """Whether this Blender has the exporter: some distributions leave Alembic and USD out."""
    if kind.operator is None:
        return True
    module, name = kind.operator
    return name in dir(getattr(bpy.ops, module))


def losses(obj: bpy.types.Object, suffix: str) -> tuple[str, ...]:
    """What the format cannot carry of this very object, a sentence each."""
    found = []
    later = [m.name for m in list(obj.modifiers)[modifier_stack.leading_count(obj) :] if m.show_viewport]
    if FORMATS[suffix].samples and later:
        names = ", ".join(f"'{name}'" for name in later)
        found.append(f"Without what {names} make of it: only Alembic and USD carry modifiers that change the topology.")
    if suffix in (".fbx", ".glb") and _other_keys(obj):
        found.append("Other shape keys become part of the animation.")
    if suffix in (".fbx", ".glb") and any(m.type == "ARMATURE" for m in obj.modifiers):
        found.append("Without the rig: its pose becomes part of the animation.")
    if suffix == ".glb" and _loose(obj):
        found.append("Vertices that no face uses are left out.")
    if suffix == ".abc" and obj.material_slots:
        found.append("Without materials: only their names and faces.")
    if suffix in POINT_CACHES:
        found.append("Only a cache: the receiving program needs the same mesh, with its vertices in the same order.")
        if obj.animation_data and obj.animation_data.action:
            found.append("Without the object's own motion.")
    return tuple(found)


def _other_keys(obj: bpy.types.Object) -> bool:
    keys = obj.data.shape_keys
    return keys is not None and any(not keeping.is_own_key(key) for key in keys.key_blocks[1:])


def _loose(obj: bpy.types.Object) -> bool:
    corners = corner_vertices_of(obj.data)
    return len(set(corners.tolist())) < len(obj.data.vertices)
