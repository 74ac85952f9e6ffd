"""Meshes that several objects share, or that lie in another file, and copies that one object has for itself."""

from __future__ import annotations

import bpy

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

from ..reading.mesh_reading import check_own

REMEDY = "Make it single-user (Motion324 > Make Single User, or single_user=True), or keep a point cache."


def reason_to_copy(obj: bpy.types.Object) -> str:
    """Why shape keys on the object's mesh are not this object's affair alone, to follow its name; "" where they are."""
    mesh = obj.data
    if mesh.library or mesh.override_library:
        return f"has a mesh that is linked from '{mesh.library.filepath if mesh.library else 'another file'}'"
    others = mesh.users - int(mesh.use_fake_user) - 1
    if others > 0:
        return f"shares its mesh with {others} other user{'s' if others > 1 else ''}"
    return ""


def make_single_user(obj: bpy.types.Object) -> bool:
    """Gives the object a copy of its mesh, where others use that mesh too or it is linked; tells whether it did.

    Shape keys, materials and vertex groups come along. Raises Motion324Error("linked-object") where the object itself
    belongs to another file.
    """
    check_own(obj)
    if not reason_to_copy(obj):
        return False
    obj.data = obj.data.copy()
    return True


def check_single_user(obj: bpy.types.Object) -> None:
    """Raises Motion324Error("mesh-shared") where shape keys on the object's mesh would change other objects."""
    why = reason_to_copy(obj)
    if why:
        sentence = f"The animation cannot be kept as shape keys: '{obj.name}' {why}."
        raise Motion324Error("mesh-shared", sentence, REMEDY, EXIT_BAD_MESH)
