"""A copy of the object in the pose of one frame, for dragging: sculpted, or edited, and then taken as that frame's.

Shape keys, caches and bones have their own way with a mesh that is edited while they play; a copy is free of them.
"""

from __future__ import annotations

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

from ..playing import shape_keys
from ..playing.animation import Target
from ..reading.mesh_reading import topology_of

OF, UID, FRAME, TOPOLOGY = "motion324_pose_of", "motion324_pose_uid", "motion324_pose_frame", "motion324_pose_topology"


def is_copy(obj: bpy.types.Object | None) -> bool:
    return obj is not None and obj.type == "MESH" and OF in obj


def begin(obj: bpy.types.Object, positions: np.ndarray, frame: int) -> bpy.types.Object:
    """Makes the copy, active and selected, and hides the object. positions (N, 3): object space; frame: the video's."""
    mesh = obj.data.copy()
    copy = bpy.data.objects.new(f"{obj.name} Pose", mesh)
    for collection in obj.users_collection or (bpy.context.scene.collection,):
        collection.objects.link(copy)
    copy.matrix_world = obj.matrix_world
    if mesh.shape_keys is not None:
        shape_keys.clear_keys(copy)
    mesh.vertices.foreach_set("co", np.ascontiguousarray(positions, np.float32).ravel())
    mesh.update()
    copy[OF], copy[UID], copy[FRAME] = obj.name, str(obj.session_uid), frame
    copy[TOPOLOGY] = topology_of(obj.data)
    obj.hide_set(True)
    _choose(copy)
    return copy


def original_of(copy: bpy.types.Object) -> bpy.types.Object:
    """Raises Motion324Error("object-gone")."""
    found = Target(str(copy[OF]), int(copy[UID])).find() or bpy.data.objects.get(str(copy[OF]))
    if found is None:
        sentence = f"The object '{copy[OF]}', whose pose this is, is no longer there."
        raise Motion324Error("object-gone", sentence, "Undo its removal, or delete this copy.", EXIT_BAD_MESH)
    return found


def positions_of_copy(copy: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32, in the object's own space. Raises Motion324Error("topology-changed")."""
    if copy.mode == "EDIT":
        copy.update_from_editmode()
    if topology_of(copy.data) != copy[TOPOLOGY]:
        sentence = f"'{copy.name}' has other vertices or faces than '{copy[OF]}': a pose only moves them."
        raise Motion324Error("topology-changed", sentence, "Undo that change.", EXIT_BAD_MESH)
    positions = np.empty((len(copy.data.vertices), 3), np.float32)
    copy.data.vertices.foreach_get("co", positions.ravel())
    turned = np.linalg.inv(np.array(original_of(copy).matrix_world)) @ np.array(copy.matrix_world)
    if np.allclose(turned, np.eye(4), atol=1e-7):
        return positions
    return (positions @ turned[:3, :3].T + turned[:3, 3]).astype(np.float32)  # she moved the copy as a whole


def end(copy: bpy.types.Object) -> None:
    """Removes the copy, and shows the object again, active."""
    if copy.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    obj = Target(str(copy[OF]), int(copy[UID])).find() or bpy.data.objects.get(str(copy[OF]))
    mesh = copy.data
    bpy.data.objects.remove(copy)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    if obj is not None:
        obj.hide_set(False)
        _choose(obj)


def _choose(obj: bpy.types.Object) -> None:
    for other in bpy.context.view_layer.objects:
        other.select_set(other == obj)
    bpy.context.view_layer.objects.active = obj
