"""Synthetic clips: geometry, cameras, pictures and truth belong together."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.core.view import View, look_at_origin  # noqa: E402
from motion324.reconstructors.node_model.geometry import project  # noqa: E402
from motion324.training.node_model import batches as batching  # noqa: E402
from motion324.training.node_model.batches import Synthesiser, farthest_points  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings  # noqa: E402
from motion324.training.synthesis.creatures.creature import make_creatures  # noqa: E402
from motion324.training.synthesis.filming import filmed_clips, posed_vertices  # noqa: E402
from motion324.training.synthesis.geometry import compose, nearest_similarity, rotation_about  # noqa: E402
from motion324.training.synthesis.pictures import Cameras, sample_cameras  # noqa: E402
from motion324.training.synthesis.rasteriser import perspective_weights, rasterise  # noqa: E402
from motion324.training.synthesis.rig_bank import Draws, RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs, skinned  # noqa: E402

CPU = torch.device("cpu")
SMALL = SynthesisSettings(frames=5, image_size=32, points=128, nodes=16)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_rigs(tmp_path_factory.mktemp("training") / "rigs", ["a__one", "b__two", "c__three"])
    return RigBank(read_rigs(folder), CPU)


def test_the_bank_poses_as_the_files_say(bank, tmp_path):
    rigs = read_rigs(write_rigs(tmp_path / "rigs", ["a__one", "b__two", "c__three"]))
    models = bank.models([2, 0])
    rows = torch.tensor([[[bank.clip_starts[rig][1] + 7] * 2] for rig in (2, 0)])
    posed = posed_vertices(models, bank.poses(rows, torch.zeros(2, 1)))[:, 0]
    for clip, rig in enumerate((rigs[2], rigs[0])):
        expected = skinned(rig.vertices, rig.joints, rig.weights, rig.clips[1][7])
        assert np.allclose(posed[models.vertex_clip == clip], expected, atol=1e-5)


def test_the_nearest_similarity_of_a_mixture_is_a_scaled_rotation():
    torch.manual_seed(0)
    mixture = 2.5 * (rotation_about(torch.randn(50, 3) * 0.6) + rotation_about(torch.randn(50, 3) * 0.6)) / 2
    found = nearest_similarity(mixture)
    scale = torch.linalg.det(mixture) ** (1 / 3)
    u, _, v = torch.linalg.svd(mixture)
    assert torch.allclose(found, scale[:, None, None] * (u @ v), atol=1e-3)


def test_composed_maps_do_the_inner_one_first():
    outer, inner = torch.randn(3, 4), torch.randn(3, 4)
    square = [torch.cat([m, torch.tensor([[0.0, 0, 0, 1]])]) for m in (outer, inner)]
    assert torch.allclose(compose(outer, inner), (square[0] @ square[1])[:3], atol=1e-5)


def test_cameras_are_those_of_the_product():
    """The same axes as motion324.core.view: a camera at azimuth 30 and elevation 20 sees points at the same pixels."""
    view = look_at_origin(30, 20, 3.0, 1.4)
    view = View(view.rotation, view.translation, view.focal, (0.45, 0.55))
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 20, 3))
    cameras = Cameras(
        torch.tensor(view.rotation)[None].float(),
        torch.tensor(view.translation)[None].float(),
        torch.tensor([[view.focal, *view.centre]]).float(),
    )
    expected, depth = view.project(points[0], 64, 64)
    camera_points = cameras.to_camera(torch.tensor(points).float(), torch.zeros(1, dtype=torch.long))
    found = cameras.to_square(camera_points, torch.zeros(1, dtype=torch.long))[0] * 64
    assert np.allclose(found, expected, atol=1e-3)
    assert np.allclose(camera_points[0, :, 2], depth, atol=1e-5)
    relative = camera_points - cameras.translation[:, None]
    again = project(relative + cameras.translation[:, None], cameras.intrinsics)[0]
    assert np.allclose((again + 1) / 2 * 64, expected, atol=1e-3)


def test_sampled_cameras_look_down_on_an_upright_mesh(bank):
    models = bank.models([0, 1, 2, 0])
    clip = models.vertex_clip
    vertices = torch.rand(len(clip), 2, 3) - 0.5
    cameras = sample_cameras(vertices, models, Draws(0, CPU))
    assert torch.allclose(cameras.rotation @ cameras.rotation.mT, torch.eye(3).expand(4, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(cameras.rotation), torch.ones(4), atol=1e-5)
    assert (cameras.rotation[:, 1, 1] < -0.6).all()  # the mesh's up is the picture's up
    assert (cameras.to_camera(vertices, clip)[..., 2] > 0.2).all()


def test_the_rasteriser_finds_what_a_search_over_all_triangles_finds():
    torch.manual_seed(1)
    frames, side = 2, 24
    corners, depths = torch.rand(40, 3, 2) * 30 - 3, torch.rand(40, 3) * 3 + 1
    frame = torch.arange(40) % frames
    fragments = rasterise(corners, depths, frame, frames, side)
    weights = perspective_weights(corners, depths, fragments.pixel, fragments.triangle, side)
    expected_depth, expected_triangle = _searched(corners.numpy(), depths.numpy(), frame.numpy(), frames, side)
    found = torch.full((frames * side * side,), -1)
    found[fragments.pixel] = fragments.triangle
    nearness = fragments.nearness.flatten()
    agree = found.numpy() == expected_triangle.reshape(-1)
    assert agree.mean() > 0.999  # pixel centres on an edge may go either way
    covered = agree & (expected_triangle.reshape(-1) >= 0)
    assert np.allclose(1 / nearness.numpy()[covered], expected_depth.reshape(-1)[covered], rtol=1e-3)
    at = (weights * depths[fragments.triangle]).sum(dim=-1)
    assert torch.allclose(at, 1 / nearness[fragments.pixel], rtol=2e-2)


def _searched(corners, depths, frame, frames, side):
    """Depth and number of the nearest triangle, by barycentric coordinates of every pixel in every triangle."""
    depth, number = np.full((frames, side, side), np.inf), np.full((frames, side, side), -1)
    y, x = np.mgrid[:side, :side] + 0.5
    for triangle, ((ax, ay), (bx, by), (cx, cy)) in enumerate(corners):
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        at = 1 / ((1 - v - w) / depths[triangle, 0] + v / depths[triangle, 1] + w / depths[triangle, 2])
        nearer = (v >= 0) & (w >= 0) & (v + w <= 1) & (at < depth[frame[triangle]]) & (at > 0)
        depth[frame[triangle]][nearer], number[frame[triangle]][nearer] = at[nearer], triangle
    return depth, number


def test_a_batch_is_whole_and_its_seed_repeats_it(bank):
    batch = Synthesiser(bank, SMALL, None, 5).batch(6)
    again = Synthesiser(bank, SMALL, None, 5).batch(6)
    inputs = batch.inputs
    assert inputs.frames.shape == (6, 5, 4, 32, 32)
    assert inputs.nodes.shape == (6, 16, 10) and inputs.points.shape == (6, 128, 9)
    assert batch.targets.shape == (6, 5, 128, 3) and batch.node_seen.shape == (6, 5, 16)
    for name in ("frames", "times", "camera", "translation", "nodes", "points"):
        value = getattr(inputs, name)
        assert value.isfinite().all() and torch.equal(value, getattr(again.inputs, name))
    assert inputs.frames.min() >= 0 and inputs.frames.max() <= 1
    assert torch.equal(batch.targets[:, 0], inputs.points[..., :3])
    assert (inputs.times[:, 0] == 0).all() and (inputs.times.diff(dim=1) >= 1).all()


def test_nodes_lie_on_the_object_where_the_camera_sees_them(bank):
    """Without errors of view and mask, nodes that show lie inside the mask, where the given camera projects them."""
    exact = replace(SMALL, image_size=64, view_error_share=0.0, mask_error_share=0.0, no_colour_share=0.0)
    exact = replace(exact, motion_blur_share=0.0)  # which thins masks at their borders
    batch = Synthesiser(bank, exact, None, 3).batch(8)
    nodes = batch.inputs.nodes[..., :3]
    given = project(nodes + batch.inputs.translation[:, None], batch.inputs.camera)
    assert torch.allclose(given, batch.node_places[:, 0], atol=1e-3)
    masks = batch.inputs.frames[:, :, 3].flatten(0, 1)[:, None]
    at = torch.nn.functional.grid_sample(masks, batch.node_places.flatten(0, 1)[:, None], align_corners=False)
    # At borders a mask of 64 pixels is read between its pixels: from 0.87 to 0.92 by the seed.
    assert at[:, 0, 0][batch.node_seen.flatten(0, 1)].mean() > 0.85
    assert 0.2 < batch.node_seen.float().mean() < 0.8  # about half of a closed surface shows


def test_faces_keep_their_outer_side_where_a_clip_is_mirrored():
    creatures = RigBank(make_creatures(1, 0), CPU)
    settings = replace(SMALL, shape_share=1.0)
    rigs = list(range(len(creatures.names))) * 4
    clips = filmed_clips(creatures, rigs, settings, Draws(0, CPU), np.random.default_rng(0))
    reversed_faces = (clips.models.faces != creatures.models(rigs).faces).any(dim=1)
    mirrored = {clip for clip in range(len(rigs)) if reversed_faces[clips.models.face_clip == clip].all()}
    assert 0.3 < len(mirrored) / len(rigs) < 0.7
    a, b, c = clips.vertices[:, 0][clips.models.faces].double().unbind(1)
    volumes = torch.zeros(len(rigs)).double()
    volumes.index_add_(0, clips.models.face_clip, (a * torch.linalg.cross(b, c)).sum(dim=-1) / 6)
    assert (volumes > 0).all(), volumes


def test_still_clips_stand_still_and_others_do_not(bank):
    still = replace(SMALL, still_share=1.0, wave_share=1.0, travel_share=1.0)
    motion = [(b.targets - b.targets[:, :1]).norm(dim=-1).mean() for b in _batches(bank, (still, SMALL))]
    assert motion[0] < 0.02 < 0.04 < motion[1]


def _batches(bank, settings):
    return [Synthesiser(bank, setting, None, 0).batch(12) for setting in settings]


def test_batches_made_at_once_are_the_parts_of_a_larger_one(bank):
    whole = Synthesiser(bank, SMALL, None, 7).batch(6)
    parts = list(islice(Synthesiser(bank, SMALL, None, 7).batches(2, 3), 3))
    assert sum((part.names for part in parts), ()) == whole.names
    for name in ("frames", "nodes", "tracks"):
        expected = getattr(whole.inputs, name)
        assert torch.equal(torch.cat([getattr(part.inputs, name) for part in parts]), expected)
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)
    assert torch.equal(torch.cat([part.track_errors.kept for part in parts]), whole.track_errors.kept)


def test_no_more_are_made_at_once_than_kernels_can_number(bank, monkeypatch):
    made = []
    synthesiser = Synthesiser(bank, SMALL, None, 7)
    whole = synthesiser.batch
    monkeypatch.setattr(synthesiser, "batch", lambda size: (made.append(size), whole(size))[1])
    monkeypatch.setattr(batching, "MOST_VALUES", 5 * SMALL.frames * (2 * SMALL.image_size) ** 2 * 6)
    assert len(next(synthesiser.batches(2, 3)).names) == 2 and made == [4]
    assert len(next(synthesiser.batches(7, 3)).names) == 7 and made == [4, 7]


def test_batches_whose_meshes_are_to_be_drawn_are_made_one_by_one(bank):
    one_by_one = Synthesiser(bank, replace(SMALL, drawn=True), None, 7).batches(2, 3)
    alone = Synthesiser(bank, replace(SMALL, drawn=True), None, 7)
    for _ in range(2):
        assert torch.equal(next(one_by_one).inputs.frames, alone.batch(2).inputs.frames)


def test_farthest_points_spread_out():
    points = torch.rand(2, 300, 3)
    chosen = farthest_points(points, 20)
    for clip in range(2):
        picked = points[clip, chosen[clip]]
        apart = (torch.cdist(picked, picked) + 10 * torch.eye(20)).amin()
        covered = torch.cdist(points[clip], picked).amin(dim=1).amax()
        assert covered <= apart + 1e-6  # no point is farther from the chosen ones than they are from one another
