"""Made bones lie inside of the body, at joints that are known, on parts that hang together."""

from __future__ import annotations

import numpy as np
import pytest
from backend_rigs import tube

from motion324.core.options.rig_settings import RigSettings
from motion324.core.rigs.rig import RiggedMotion
from motion324.rigging.body import Body, body_of
from motion324.rigging.made_rig import make_rig
from motion324.rigging.rotations import from_vector


def body_at(positions, faces) -> Body:
    """Of a mesh whose vertices are all at different places."""
    return body_of(np.asarray(positions, float), np.asarray(faces))


def joined(*meshes):
    """Several meshes as the pieces of one."""
    counts = np.cumsum([0, *(len(positions) for positions, _ in meshes)])
    places = np.concatenate([positions for positions, _ in meshes])
    return places, np.concatenate([faces + first for (_, faces), first in zip(meshes, counts, strict=False)])


def limb(begin, way, length: float = 1.0, thickness: float = 0.1):
    """A tube from a place into a direction along an axis of the space: positions (N, 3), faces (F, 3)."""
    positions, faces = tube(16, 8, length)
    axis = int(np.abs(way).argmax())
    turned = np.roll(positions * [1, thickness / 0.2, thickness / 0.2], axis, axis=1)
    return turned * np.where(np.arange(3) == axis, np.sign(way[axis]), 1) + begin, faces


def beast():
    """A trunk along X with legs at both ends and sides, and which vertex is of what: 0, or a leg's number."""
    places = [(0.3, 0.15), (0.3, -0.15), (2.7, 0.15), (2.7, -0.15)]
    pieces = [tube(24, 12), *(limb(np.array([x, y, -0.1]), (0, 0, -1)) for x, y in places)]
    of = np.repeat(np.arange(5), [len(positions) for positions, _ in pieces])
    return (*joined(*pieces), of, places)


def tails(rigged: RiggedMotion) -> np.ndarray:
    rest = rigged.armature.rest
    return np.asarray(rest[:, :3, 3] + rest[:, :3, 1] * rigged.armature.lengths[:, None])


def test_what_lies_inside_is_told_also_where_pieces_overlap_and_normals_point_inwards():
    for flipped in (False, True):
        trunk, faces = tube(24, 12)
        arm, arm_faces = limb(np.array([1.5, 0, 0]), (0, 1, 0))
        body = body_at(*joined((trunk, faces[:, ::-1] if flipped else faces), (arm, arm_faces)))
        assert body.holds(np.array([[0.5, 0, 0], [2.5, 0.1, 0], [1.5, 0.1, 0], [1.5, 0.8, 0]])).all()
        assert not body.holds(np.array([[0.5, 0.25, 0], [1.0, 0.6, 0], [3.3, 0, 0], [1.5, 0.8, 0.15]])).any()
        wide = body.centres[(body.radii > 0.15) & (body.centres[:, 0] > 2) & (body.centres[:, 0] < 2.8)]
        assert len(wide) > 100 and np.abs(wide[:, 1:]).max() < 0.06  # in the middle of the trunk


def test_an_open_sheet_encloses_nothing():
    x, y = np.meshgrid(np.linspace(0, 1, 8), np.linspace(0, 1, 8), indexing="ij")
    sheet = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    first = np.arange(56).reshape(7, 8)[:, :7].ravel()
    faces = np.concatenate([np.stack([first, first + 8, first + 9], 1), np.stack([first, first + 9, first + 1], 1)])
    body = body_at(sheet, faces)
    assert not len(body.radii) and body.holds(np.array([[5.0, 5.0, 5.0]])).all()


def test_pieces_that_touch_or_are_near_are_neighbours_and_others_are_not():
    near, far = limb(np.array([0, 0, 0.35]), (1, 0, 0), 3.0), limb(np.array([0, 0, 4.0]), (1, 0, 0), 3.0)
    trunk = tube(24, 12)
    body = body_at(*joined(trunk, near, far))
    count, each = len(trunk[0]), len(near[0])
    assert body.links[:count, count : count + each].nnz > 0
    assert body.links[: count + each, count + each :].nnz == 0


@pytest.mark.parametrize("degrees", [3.0, 10.0])
def test_a_hinge_that_turns_little_beside_its_slips_is_where_its_parts_meet(degrees):
    positions, faces = tube(25, 12)
    beyond, hinge = positions[:, 0] > 1.5, np.array([1.5, 0, 0])
    rng = np.random.default_rng(0)
    frames = []
    for t in range(20):
        swing = np.sin(0.6 * t)
        turn = from_vector(np.array([0, 0, np.radians(degrees) * swing]))
        slip = np.array([0.12 * swing, 0, 0]) + (t > 0) * rng.normal(0, 0.01, 3)  # as predictions do
        moved = positions.copy()
        moved[beyond] = (positions[beyond] - hinge) @ turn.T + hinge + slip
        frames.append(moved)
    rigged = make_rig(np.array(frames, np.float32), faces, RigSettings(bones=2))
    head = rigged.armature.rest[1, :3, 3]
    assert abs(head[0] - 1.5) < 0.03 * 3 and np.linalg.norm(head[1:]) < 0.17  # the tube has a radius of 0.2


def test_parts_that_only_slide_are_joined_at_their_seam_and_move():
    positions, faces = tube(25, 12)
    beyond = positions[:, 0] > 1.5
    frames = [positions + beyond[:, None] * [0.02 * t, 0, 0] for t in range(12)]
    rigged = make_rig(np.array(frames, np.float32), faces, RigSettings(bones=2))
    assert np.linalg.norm(rigged.armature.rest[1, :3, 3] - [1.5, 0, 0]) < 0.1
    assert rigged.motion.moved.all() and rigged.motion.mean.mean() < 1e-3
    root, other = rigged.armature.rest
    apart = other[:3, 3] - root[:3, 3]
    aimed = root[:3, 1] * np.linalg.norm(apart)
    assert np.linalg.norm(aimed - apart) > 0.01 * np.linalg.norm(apart)  # else importers of FBX connect what moves


def test_legs_that_go_the_same_way_are_bones_of_their_own_on_the_trunk():
    positions, faces, of, places = beast()
    frames = []
    for t in range(16):
        moved = positions.copy()
        for leg, (x, y) in enumerate(places, start=1):
            pace = (0.5 if leg in (1, 4) else -0.5) * np.sin(0.5 * t)  # a trot: legs across go alike
            turn, hip = from_vector(np.array([0, pace, 0])), np.array([x, y, -0.1])
            moved[of == leg] = (positions[of == leg] - hip) @ turn.T + hip
        frames.append(moved)
    rigged = make_rig(np.array(frames, np.float32), faces, RigSettings(bones=5))
    strongest = np.take_along_axis(rigged.skin.joints, rigged.skin.weights.argmax(axis=1)[:, None], axis=1)[:, 0]
    owners = [np.unique(strongest[(of == leg) & (positions[:, 2] < -0.4)]) for leg in range(1, 5)]
    assert sorted(int(bone) for own in owners for bone in own) == [1, 2, 3, 4]  # one each, the trunk is the root
    assert rigged.armature.parents.tolist() == [-1, 0, 0, 0, 0]
    body, ends = body_at(positions, faces), tails(rigged)
    assert body.holds(rigged.armature.rest[:, :3, 3]).all() and body.holds(ends).all()
    for own, (x, y) in zip(owners, places, strict=True):
        assert np.linalg.norm(rigged.armature.rest[own[0], :3, 3] - [x, y, -0.1]) < 0.03 * 3
        assert np.linalg.norm(ends[own[0]] - [x, y, -1.1]) < 0.15  # its foot
    assert abs(ends[0] - rigged.armature.rest[0, :3, 3])[0] > 1.0  # the root lies along the trunk


def test_bones_move_no_vertices_that_are_far_along_the_surface():
    positions, faces, of, places = beast()
    frames = []
    for t in range(16):
        moved = positions.copy()
        for leg, (x, y) in enumerate(places, start=1):
            turn, hip = from_vector(np.array([0, 0.5 * np.sin(0.5 * t), 0])), np.array([x, y, -0.1])  # all alike
            moved[of == leg] = (positions[of == leg] - hip) @ turn.T + hip
        frames.append(moved)
    skin = make_rig(np.array(frames, np.float32), faces, RigSettings(bones=5)).skin
    dense = np.zeros((len(positions), 5))
    np.add.at(dense, (np.arange(len(positions))[:, None], skin.joints), skin.weights)
    foot = [dense[(of == leg) & (positions[:, 2] < -0.8)] for leg in range(1, 5)]
    for leg, own in enumerate(foot):
        bone = int(own.sum(axis=0).argmax())
        assert own[:, bone].min() > 0.9
        others = np.concatenate([foot[other] for other in range(4) if other != leg])
        assert others[:, bone].max() == 0.0
