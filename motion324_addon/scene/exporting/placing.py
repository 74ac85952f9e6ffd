"""Takes an object's own motion, with all that parents, constraints, drivers and NLA strips make of it, as plain
keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from motion324.core.motion.quaternions import same_side

from ..playing import fcurves

SHEARED = 1e-5  # of a matrix's largest number: what Blender's own rounding stays below
_SIZES = ("scale", "delta_scale")


@dataclass(frozen=True)
class Placing:
    """Where an object is over T frames, as place, turn and size, which is all that FBX and glTF know.

    locations (T, 3), rotations (T, 4) quaternions w x y z, scales (T, 3), all float64. shear (T, 3, 3) float64 or None:
    what comes before them on the mesh's own vertices, where these three cannot say all, or a size is 0, of which
    readers make turns of their own.
    """

    locations: np.ndarray
    rotations: np.ndarray
    scales: np.ndarray
    shear: np.ndarray | None = None

    def shear_vertices(self, positions: np.ndarray) -> None:
        """Puts the shear, which only vertices can show, into positions (T, N, 3)."""
        if self.shear is not None:
            for frame, matrix in zip(positions, self.shear, strict=True):
                frame[:] = frame @ matrix.T


def metres_per_unit(scene: bpy.types.Scene) -> float:
    """How long Blender's unit is in metres, as the interface shows lengths and as the FBX exporter takes it."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else float(settings.scale_length)


def placing_of(matrices: np.ndarray, unit: float = 1.0) -> Placing:
    """matrices (T, 4, 4): of the object in the world. unit: the world is scaled by it."""
    parts = [_parts(matrix) for matrix in matrices]
    if any(part is None for part in parts):
        return _rigid(matrices, unit)
    locations, rotations, scales = (np.array([part[k] for part in parts if part]) for k in range(3))
    return Placing(unit * locations, same_side(rotations), unit * scales)


def is_sheared(obj: bpy.types.Object) -> bool:
    """Whether place, turn and size cannot say where the object's vertices are now, though it is not flat."""
    return _parts(np.array(obj.matrix_world)) is None and not is_flat(obj)


def is_flat(obj: bpy.types.Object) -> bool:
    """Whether it has a size of 0 now, by itself or by its parents."""
    return _is_flat(np.array(obj.matrix_world)[:3, :3])


def may_be_flat(obj: bpy.types.Object) -> bool:
    """Whether the object itself may have a size of 0 at some frame or other."""
    return bool(_is_flat(np.diag(obj.scale)) or _is_flat(np.diag(obj.delta_scale)) or fcurves.deciding(obj, _SIZES))


def parents_of(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The object's parent, and that one's, up to the last."""
    found: list[bpy.types.Object] = []
    above = obj.parent
    while above is not None:
        found.append(above)
        above = above.parent
    return found


def is_constrained(obj: bpy.types.Object) -> bool:
    """Whether a constraint is in force."""
    return any(not constraint.mute for constraint in obj.constraints)


def may_shear(obj: bpy.types.Object) -> bool:
    """Whether place, turn and size may not say where the object is below its parent, at some frame or other."""
    if may_be_flat(obj) or is_constrained(obj) or (obj.parent and obj.parent_type != "OBJECT"):
        return True
    sizes = np.linalg.svd(np.array(obj.matrix_parent_inverse)[:3, :3], compute_uv=False)
    return bool(sizes[0] - sizes[2] > SHEARED * sizes[0])


def is_sheared_below_parent(obj: bpy.types.Object) -> bool:
    """Whether place, turn and size cannot say where the object is now, as seen from its parent, or it is flat."""
    above = obj.parent.matrix_world.inverted_safe() if obj.parent else Matrix()
    return _parts(np.array(above @ obj.matrix_world)) is None


def put(obj: bpy.types.Object, placing: Placing, start: int) -> None:
    """Frees the object of all that moved it, and keys the placing from the scene's frame `start` on."""
    obj.animation_data_clear()
    obj.constraints.clear()
    obj.parent = None
    obj.matrix_parent_inverse.identity()
    obj.delta_location, obj.delta_scale = (0, 0, 0), (1, 1, 1)
    obj.delta_rotation_euler, obj.delta_rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    obj.rotation_mode = "QUATERNION"
    paths = {"location": placing.locations, "rotation_quaternion": placing.rotations, "scale": placing.scales}
    for path, values in paths.items():
        setattr(obj, path, values[0])
        if not np.ptp(values, axis=0).any():
            continue
        curves = fcurves.editable_curves_of(obj)
        for index in range(values.shape[1]):
            fcurves.write_curve(curves, path, range(start, start + len(values)), values[:, index], index=index)


def _parts(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    if _is_flat(matrix[:3, :3]):
        return None
    whole = Matrix(matrix.tolist())
    location, rotation, scale = whole.decompose()
    again = np.array(Matrix.LocRotScale(location, rotation, scale))
    if not np.abs(again - matrix)[:3, :3].max() <= SHEARED * np.abs(matrix[:3, :3]).max():
        return None
    return np.array(location), np.array(rotation), np.array(scale)


def _is_flat(linear: np.ndarray) -> bool:
    sizes = np.linalg.svd(linear, compute_uv=False)
    return bool(sizes[-1] <= SHEARED * sizes[0])


def _rigid(matrices: np.ndarray, unit: float) -> Placing:
    """Only places and turns; all else is the vertices' affair. A mirrored object stays one, lest it turn inside out."""
    linear = np.asarray(matrices, np.float64)[:, :3, :3]
    left, sizes, right = np.linalg.svd(linear)
    whole = sizes[:, 2] > SHEARED * sizes[:, 0]
    mirror = np.sign(np.linalg.det(linear[whole][0])) if whole.any() else 1.0
    left[:, :, 2] *= np.sign(mirror * np.linalg.det(left @ right))[:, None]
    turns = mirror * left @ right
    turned = sizes[:, 1] > SHEARED * sizes[:, 0]  # a line or a point is turned as before, or as first after it
    known = np.flatnonzero(turned)
    if len(known):
        turns = turns[known[np.maximum(np.searchsorted(known, np.arange(len(turns)), side="right") - 1, 0)]]
    rotations = np.array([Matrix(turn.tolist()).to_quaternion() for turn in turns])
    exact = np.array([Quaternion(rotation.tolist()).to_matrix() for rotation in rotations])  # what will be turned back
    shear = mirror * np.linalg.solve(exact, linear)
    count = len(matrices)
    return Placing(
        locations=unit * np.asarray(matrices, np.float64)[:, :3, 3],
        rotations=same_side(rotations),
        scales=np.full((count, 3), unit * mirror),
        shear=shear,
    )
