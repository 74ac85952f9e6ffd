"""Reads objects that one armature moves, with all that moves the armature, as a MovingRig for engines.

Only bones that move vertices come along; what constraints, drivers, control bones and the objects themselves do to them
is in their curves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.surface import positions_of
from motion324.core.inside_blender.rig.skin_reading import weights_of
from motion324.core.rigs.moving_rig import MovingRig, curves_of, with_fewer_influences

ROOT = "root"


@dataclass(frozen=True)
class ReadRig:
    """rig: of the vertices of all objects, one after another; its first bone is above all others. truth (T, N, 3)
    float32: where the vertices are shown, in the space of the rig.
    """

    rig: MovingRig
    armature: Any
    truth: np.ndarray


def armature_of(objects: Sequence[Any]) -> Any:
    """The armature object that moves all of these. Raises Motion324Error("no-armature" or "several-armatures")."""
    found = []
    for obj in objects:
        own = [each.object for each in obj.modifiers if each.type == "ARMATURE" and each.object and each.show_viewport]
        if not own:
            raise _bad(
                "no-armature",
                f"'{obj.name}' has no armature, so there is no rig to export.",
                "Export shape keys as FBX or GLB, a cache, or vertex animation textures.",
            )
        found += [each for each in own if len(own) > 1 or each not in found]
    if len(found) > 1:
        told = ", ".join(f"'{each.name}'" for each in objects)
        names = ", ".join(f"'{each.name}'" for each in found)
        raise _bad("several-armatures", f"{told} hang on {len(found)} armatures: {names}.", "Leave one.")
    return found[0]


def read_moving_rig(
    bpy: Any,
    objects: Sequence[Any],
    first: int,
    last: int,
    fps: float,
    unit: float,
    influences: int,
    own_root: bool,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> ReadRig:
    """The scene's frames first..last, in metres, Z up, in the world. unit: metres of one unit of Blender's.

    own_root: adds a root bone in any case, not only where several bones are above all others, or some vertices are
    moved by none. The scene's frame is put back. Raises Motion324Error: "no-armature", "several-armatures", "no-bones".
    """
    armature = armature_of(objects)
    bones = _deforming(objects, armature)
    names = [bone.name for bone in bones]
    parents = [_parent(bone, names) for bone in bones]
    frames = range(first, last + 1)
    poses, carried, truth = [], [], []
    before = bpy.context.scene.frame_current, bpy.context.scene.frame_subframe
    try:
        for frame in frames:
            bpy.context.scene.frame_set(frame)
            graph = bpy.context.evaluated_depsgraph_get()
            moved = armature.evaluated_get(graph)
            poses.append([np.array(moved.pose.bones[name].matrix) for name in names])
            carried.append(np.array(moved.matrix_world))
            truth.append(_shown(objects, graph, unit))
            report(frame - first + 1, len(frames))
        bpy.context.scene.frame_set(first)
        with _unmoved(objects):
            still = _shown(objects, bpy.context.evaluated_depsgraph_get(), unit)
    finally:
        bpy.context.scene.frame_set(before[0], subframe=before[1])
    world = np.array(carried)
    rest = np.array([np.array(bone.matrix_local) for bone in bones])
    to_rest = np.linalg.inv(world[0] @ rest)
    deforming = world[:, None] @ np.array(poses) @ to_rest  # world to world
    heads = np.array([_rigid(world[0] @ matrix) for matrix in rest])
    lengths = np.array([bone.length * np.linalg.norm((world[0] @ rest[j])[:3, 1]) for j, bone in enumerate(bones)])
    joints, weights = _skin(objects, names)
    lost = weights.sum(axis=1) == 0
    added = own_root or parents.count(-1) != 1 or bool(lost.any())
    if added:
        name = ROOT if ROOT not in names else f"motion_{ROOT}"
        names.insert(0, name)
        parents = [-1, *(parent + 1 for parent in parents)]
        standing = np.eye(4)
        standing[:3, 3] = world[0, :3, 3]
        if own_root:  # under the body's middle, about which it turns
            standing[:2, 3] = truth[0].mean(axis=0)[:2] / unit
        heads = np.concatenate([standing[None], heads])
        deforming = np.concatenate([(world @ np.linalg.inv(world[0]))[:, None], deforming], axis=1)
        lengths = np.concatenate([[0.1 * float(np.ptp(still, axis=0).max()) / unit], lengths])
        joints = np.where(lost[:, None], 0, joints + 1)
        weights[lost, 0] = 1.0  # of the root
    joints, weights = with_fewer_influences(np.where(weights > 0, joints, 0), weights, influences)
    matrices = deforming @ heads
    heads, matrices = heads.copy(), matrices.copy()
    heads[..., :3, 3] *= unit
    matrices[..., :3, 3] *= unit
    rig = MovingRig(
        names=tuple(names),
        parents=np.array(parents),
        rest=heads,
        lengths=lengths * unit,
        curves=curves_of(matrices, np.array(parents), heads),
        positions=still,
        joints=joints,
        weights=weights,
        fps=fps,
    )
    return ReadRig(rig, armature, np.array(truth))


def _deforming(objects: Sequence[Any], armature: Any) -> list[Any]:
    """The bones that move the objects' vertices, and the nearest bone above them all, parents first."""
    groups = {group.name for obj in objects for group in obj.vertex_groups}
    bones = [bone for bone in armature.data.bones if bone.use_deform and bone.name in groups]
    if not bones:
        raise _bad(
            "no-bones",
            f"No bone of '{armature.name}' moves '{objects[0].name}': no vertex group is called as a deforming bone.",
            "Parent the mesh with automatic weights.",
        )
    names = {bone.name for bone in bones}
    tops = [bone for bone in bones if not any(above.name in names for above in bone.parent_recursive)]
    if len(tops) > 1:
        shared = [above for above in tops[0].parent_recursive if all(above in top.parent_recursive for top in tops)]
        bones += shared[:1]
    return sorted(bones, key=lambda bone: len(bone.parent_recursive))


def _parent(bone: Any, names: list[str]) -> int:
    """The nearest bone above that comes along, or -1."""
    return next((names.index(above.name) for above in bone.parent_recursive if above.name in names), -1)


def _skin(objects: Sequence[Any], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """joints, weights (N, K), with the sum 1, or 0 where no bone moves a vertex."""
    found = []
    for obj in objects:
        by_group = {group.index: names.index(group.name) for group in obj.vertex_groups if group.name in names}
        found.append(weights_of(obj, by_group))
    most = max(joints.shape[1] for joints, _ in found)
    joints, weights = (
        np.concatenate([np.pad(part, ((0, 0), (0, most - part.shape[1]))) for part in parts])
        for parts in zip(*found, strict=True)
    )
    return joints, weights


def _shown(objects: Sequence[Any], graph: Any, unit: float) -> np.ndarray:
    """(N, 3) float32: in the world, in metres."""
    found = []
    for obj in objects:
        evaluated = obj.evaluated_get(graph)
        positions = positions_of(evaluated.to_mesh()).astype(np.float64)
        matrix = np.array(evaluated.matrix_world)
        evaluated.to_mesh_clear()
        found.append(((positions @ matrix[:3, :3].T + matrix[:3, 3]) * unit).astype(np.float32))
    return np.concatenate(found)


@contextmanager
def _unmoved(objects: Sequence[Any]) -> Iterator[None]:
    """The objects as they are before their armature moves them."""
    own = [each for obj in objects for each in obj.modifiers]
    modifiers = [each for each in own if each.type == "ARMATURE" and each.show_viewport]
    for each in modifiers:
        each.show_viewport = False
    try:
        yield
    finally:
        for each in modifiers:
            each.show_viewport = True


def _rigid(matrix: np.ndarray) -> np.ndarray:
    """The nearest matrix (4, 4) that only turns and moves."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    found = np.eye(4)
    found[:3, :3] = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    found[:3, 3] = matrix[:3, 3]
    return found


def _bad(code: str, sentence: str, hint: str) -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_BAD_MESH)
