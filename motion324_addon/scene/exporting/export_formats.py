"""Lists the formats that an animated object is exported to, and what each cannot carry of it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from motion324.core.files.point_cache import ONLY_A_CACHE
from motion324.core.inside_blender.mesh.surface import corner_vertices_of

from ..playing import keeping
from ..reading import modifier_stack
from .placing import is_flat, is_sheared, metres_per_unit


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


def losses(obj: bpy.types.Object, suffix: str, first: int | None = None) -> tuple[str, ...]:
    """What the format cannot carry of this very object, a sentence each. first: the scene's frame that is the first one
    of the export, None where that does not matter.
    """
    found = []
    scene = bpy.context.scene
    later = [m.name for m in list(obj.modifiers)[modifier_stack.leading_count(obj) :] if m.show_viewport]
    if FORMATS[suffix].samples and later:
        names = ", ".join(f"'{name}'" for name in later)
        found.append(f"Without what {names} make of it: only Alembic and USD carry modifiers that change the topology.")
    if suffix in (".fbx", ".glb") and _other_keys(obj):
        found.append("Other shape keys become part of the animation.")
    if suffix in (".fbx", ".glb") and any(m.type == "ARMATURE" for m in obj.modifiers):
        found.append("Without the rig: its pose becomes part of the animation.")
    if suffix in (".fbx", ".glb") and is_sheared(obj):
        found.append("It is sheared by its parent, which becomes part of the shape keys.")
    if suffix in (".fbx", ".glb") and is_flat(obj):
        found.append("A size of 0 makes it flat, which becomes part of the shape keys.")
    if suffix == ".glb" and _loose(obj):
        found.append("Vertices that no face uses are left out.")
    if suffix == ".abc" and obj.material_slots:
        found.append("Without materials: only their names and faces.")
    if suffix == ".abc":
        lost = [each.name for each in obj.data.color_attributes if not _in_alembic(each)]
        if lost:
            names = ", ".join(f"'{name}'" for name in lost)
            found.append(f"Without the colours {names}: Alembic has only those of face corners in bytes.")
    if first is not None:
        found += _losses_in_time(suffix, first)
    if suffix in POINT_CACHES:
        found.append(ONLY_A_CACHE)
        if modifier_stack.motion_of_its_own(obj):
            found.append("Without the object's own motion.")
        if metres_per_unit(scene) != 1.0:
            found.append(f"In Blender's units, of which each is {metres_per_unit(scene):g} m, not in metres.")
    return tuple(found)


def _losses_in_time(suffix: str, first: int) -> list[str]:
    if suffix == ".glb" and first:
        return [f"It begins at 0 seconds with the scene's frame {first}."]
    if suffix in (".fbx", ".usd") and first < 0:
        return [f"Without frames before 0: it begins at frame 0 with the scene's frame {first}."]
    return []


def _in_alembic(colours: bpy.types.Attribute) -> bool:
    """Whether Blender's Alembic exporter writes them; measured: 5.3 writes all, 5.0 does not."""
    return bpy.app.version >= (5, 3, 0) or (colours.domain == "CORNER" and colours.data_type == "BYTE_COLOR")


def _other_keys(obj: bpy.types.Object) -> bool:
    keys = obj.data.shape_keys
    return keys is not None and any(not keeping.is_own_key(key) for key in keys.key_blocks[1:])


def _loose(obj: bpy.types.Object) -> bool:
    corners = corner_vertices_of(obj.data)
    return len(set(corners.tolist())) < len(obj.data.vertices)
