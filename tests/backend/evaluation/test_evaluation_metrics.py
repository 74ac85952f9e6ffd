"""Each metric against cases worked out by hand, and against plain implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from motion324.core.errors import Motion324Error
from motion324.core.progress import silent
from motion324.evaluation.correspondence import vertex_errors, what_differs
from motion324.evaluation.mesh_sequence import MeshSequence, check_sequence, normalised_by_first_frame, sample_places
from motion324.evaluation.neighbours import nearest, nearest_both_ways
from motion324.evaluation.results import summarise
from motion324.evaluation.surface_scores import (
    accelerations,
    chamfer_over_time,
    f_score,
    motion_chamfer,
    self_intersection_rate,
    stretches,
    surface_distances,
    surface_scores,
    vertex_areas,
    welded,
)
from motion324.evaluation.triangle_tree import TriangleTree

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
RIGHT, AHEAD, UP = np.eye(3)
SHIFT = RIGHT + 2 * AHEAD + 3 * UP
TWO_FACES = np.array([[0, 1, 2], [0, 2, 3]])


def sequence(positions, faces=TWO_FACES):
    return MeshSequence(np.asarray(positions, np.float32), np.asarray(faces, np.int32), "made here")


@pytest.mark.parametrize(
    ("positions", "faces", "code", "word"),
    [
        ([SQUARE, SQUARE * [1, 0, 0], SQUARE], TWO_FACES, "zero-area", "Frame 1 of"),  # a line
        ([SQUARE, SQUARE, SQUARE * 0 + 2], TWO_FACES, "zero-area", "Frame 2 of"),  # a point
        ([SQUARE], [[0, 1, 2], [0, -1, 3]], "bad-faces", "vertex -1, but only 4"),
        ([SQUARE], [[0, 1, 2], [0, 2, 4]], "bad-faces", "vertex 4, but only 4"),
    ],
    ids=["line", "point", "negative", "beyond"],
)
def test_sequence_that_cannot_be_sampled_is_refused_with_the_place(positions, faces, code, word):
    with pytest.raises(Motion324Error, match=word) as caught:
        check_sequence(sequence(positions, faces))
    assert caught.value.code == f"sequence-{code}" and "made here" in caught.value.sentence


def test_sequence_may_become_tiny():
    assert check_sequence(sequence([SQUARE, SQUARE * 1e-6 + 1e-6]))


def test_chamfer_distance_is_the_sum_of_both_means_unsquared():
    truth = np.array([[0.0, 0, 0], [1, 0, 0]])
    predicted = np.array([[0.0, 0.03, 0], [3, 0, 0]])
    scores = surface_scores(truth, predicted, (0.05, 0.01))
    there = (0.03 + np.hypot(1, 0.03)) / 2  # true points to predicted ones
    back = (0.03 + 2.0) / 2
    assert scores.distance == pytest.approx(there + back)
    assert scores.f == {0.05: pytest.approx(0.5), 0.01: 0.0}


def test_f_score_is_the_harmonic_mean():
    assert f_score(0.25, 0.75) == pytest.approx(2 * 0.25 * 0.75)
    assert f_score(0.0, 0.0) == 0.0


def test_neighbours_equal_all_pairs_and_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(700, 3)), rng.normal(size=(900, 3))
    pairs = np.linalg.norm(a[:, None] - b[None], axis=2)
    there, back = nearest_both_ways(a, b)
    np.testing.assert_allclose(there, pairs.min(axis=1), atol=1e-14)
    np.testing.assert_allclose(back, pairs.min(axis=0), atol=1e-14)
    np.testing.assert_array_equal(there, cKDTree(b).query(a)[0])


def test_neighbours_by_pytorch_equal_scipys():
    torch = pytest.importorskip("torch")
    from motion324.evaluation.neighbours import _on_gpu

    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(400, 3)), rng.normal(size=(300, 3))
    distances, found = _on_gpu(a, b, "cpu")
    known, indices = nearest(a, b)
    np.testing.assert_allclose(distances, known, rtol=1e-6)
    np.testing.assert_array_equal(found, indices)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(("count", "others"), [(1, 1), (63, 127), (64, 128), (1000, 4001), (4001, 1000)])
def test_neighbours_by_the_kernel_on_a_gpu_equal_scipys(count, others):
    torch = pytest.importorskip("torch", reason="needs PyTorch, which is not installed here")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    kernel = pytest.importorskip("motion324.evaluation.nearest_kernel", reason="needs Triton")
    rng = np.random.default_rng(3)
    points, among = (rng.normal(size=(size, 3)).astype(np.float32) for size in (count, others))
    found = kernel.nearest_indices(torch.as_tensor(points).cuda(), torch.as_tensor(among).cuda()).cpu().numpy()
    known, indices = cKDTree(among).query(points)
    differ = found != indices  # only where float32 cannot tell two neighbours apart
    np.testing.assert_allclose(np.linalg.norm(points - among[found], axis=1), known, rtol=1e-5)
    assert differ.mean() < 0.01


def test_samples_are_spread_by_area_and_stay_at_their_place():
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [8, 0, 0], [5, 1, 0]], float)
    faces = np.array([[0, 1, 2], [3, 4, 5]])  # areas 0.5 and 1.5
    places = sample_places(positions, faces, 20_000, (3,))
    points = places.on(positions)
    assert (points[:, 0] > 4).mean() == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(points[points[:, 0] < 4].mean(axis=0), [1 / 3, 1 / 3, 0], atol=0.01)
    np.testing.assert_allclose(places.on(positions + SHIFT), points + SHIFT)
    again = sample_places(positions, faces, 20_000, (3,))
    np.testing.assert_array_equal(again.weights, places.weights)
    assert not np.array_equal(sample_places(positions, faces, 20_000, (4,)).weights, places.weights)


def test_degenerate_triangles_get_no_samples():
    faces = np.array([[0, 0, 1], [0, 1, 2], [2, 2, 2]])
    places = sample_places(SQUARE, faces, 1000, (0,))
    assert (places.faces == [0, 1, 2]).all()


def test_closest_points_on_triangles_equal_a_dense_search():
    rng = np.random.default_rng(4)
    positions, faces = rng.normal(size=(60, 3)), rng.integers(0, 60, (80, 3))
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])]
    points = 2 * rng.normal(size=(50, 3))
    distances, places, found = TriangleTree(positions, faces).closest(points)
    dense = cKDTree(sample_places(positions, faces, 400_000, (5,)).on(positions)).query(points)[0]
    assert (distances <= dense + 1e-12).all()
    np.testing.assert_allclose(distances, dense, atol=0.05)  # the samples leave gaps at corners
    np.testing.assert_allclose(np.linalg.norm(places - points, axis=1), distances, atol=1e-12)
    corners = positions[faces[found]]
    weights = np.stack([np.linalg.lstsq(c.T, p, rcond=None)[0] for c, p in zip(corners, places, strict=True)])
    np.testing.assert_allclose(np.einsum("pc,pcd->pd", weights, corners), places, atol=1e-9)


def test_closest_point_lies_on_corner_edge_or_inside():
    tree = TriangleTree(SQUARE, TWO_FACES[:1])
    cases = {
        (-1, -1, 0): (0, 0, 0),
        (0.5, -2, 0): (0.5, 0, 0),
        (0.75, 0.25, 3): (0.75, 0.25, 0),
        (0, 1, 0): (0.5, 0.5, 0),
    }
    _, places, _ = tree.closest(np.array(list(cases), float))
    np.testing.assert_allclose(places, np.array(list(cases.values()), float), atol=1e-12)


def test_distance_between_parallel_squares_is_their_gap():
    places = sample_places(SQUARE, TWO_FACES, 500, (0,))
    tree = TriangleTree(SQUARE, TWO_FACES)
    moved = SQUARE + 0.25 * UP
    assert surface_distances(SQUARE, tree, places, moved, tree, places) == (pytest.approx(0.25), pytest.approx(0.25))


def test_vertex_and_trajectory_errors_by_hand():
    truth = np.stack([SQUARE, SQUARE + 3 * RIGHT])
    predicted = truth + 0.5 * AHEAD  # wrong place, right way
    predicted[1, 0] += [0, 0, 4]
    errors = vertex_errors(truth, predicted)
    np.testing.assert_allclose(errors.vertex, [0.5, (3 * 0.5 + np.hypot(0.5, 4)) / 4])
    np.testing.assert_allclose(errors.trajectory, [0, 1])
    np.testing.assert_allclose(errors.still, [0, 3])


def test_correspondence_is_refused_with_its_reason():
    truth = sequence([SQUARE])
    assert what_differs(truth, truth) == ""
    assert what_differs(truth, sequence([SQUARE], TWO_FACES[::-1, [1, 2, 0]])) == ""  # only another order
    assert "5 vertices where the truth has 4" in what_differs(truth, sequence([[*SQUARE, [9, 9, 9]]]))
    assert "1 triangles where the truth has 2" in what_differs(truth, sequence([SQUARE], TWO_FACES[:1]))
    assert "2 triangles between other vertices" in what_differs(truth, sequence([SQUARE], [[0, 1, 3], [1, 2, 3]]))


def test_jitter_is_the_second_difference_weighed_by_area():
    path = np.array([0.0, 1, 4, 9, 16])[:, None, None] * np.array([RIGHT, 3 * RIGHT])
    found = accelerations(path, np.array([3.0, 1.0]))
    assert np.isnan(found[[0, -1]]).all()
    np.testing.assert_allclose(found[1:-1], (3 * 2 + 1 * 6) / 4)
    assert np.isnan(accelerations(path[:2], np.ones(2))).all()
    np.testing.assert_allclose(vertex_areas(SQUARE, TWO_FACES), [1 / 3, 1 / 6, 1 / 3, 1 / 6])


def test_stretch_is_the_change_of_lengths():
    twice = SQUARE * [2, 1, 1]
    lengths = 4 + np.sqrt(2)
    found = stretches(np.stack([SQUARE, SQUARE + 5, twice]), TWO_FACES)
    np.testing.assert_allclose(found, [0, 0, (2 + np.sqrt(5) - np.sqrt(2)) / lengths], atol=1e-12)


def test_triangles_that_cut_each_other_are_counted():
    flat, upright = SQUARE, np.array([[0.6, 0.2, -1], [0.6, 0.2, 1], [0.6, 0.3, 1]])
    apart = upright + 5 * RIGHT
    positions = np.concatenate([flat, upright, apart])
    faces = np.concatenate([TWO_FACES, [[4, 5, 6], [7, 8, 9]]])
    tree = TriangleTree(positions, faces)
    cut = tree.cutting(welded(positions))
    assert cut.tolist() == [True, False, True, False]
    assert self_intersection_rate(tree, positions, welded(positions)) == 0.5
    far = positions.copy()
    far[4:7] += 9 * UP
    assert self_intersection_rate(tree, far, welded(positions)) == 0.0


def test_neighbouring_triangles_do_not_cut_each_other_across_a_seam():
    folded = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0.2]], float)
    tree = TriangleTree(folded, np.array([[0, 1, 2], [3, 4, 5]]))
    assert not tree.cutting(welded(folded)).any()


def test_actionmesh_distances_by_hand():
    truth = np.stack([SQUARE, SQUARE])
    predicted = np.stack([SQUARE, SQUARE + 0.5 * UP])
    places = sample_places(SQUARE, TWO_FACES, 300, (0,))
    shape = chamfer_over_time(truth, places, predicted, places, "cpu", silent)
    np.testing.assert_allclose(shape.squared, [0, 2 * 0.25], atol=1e-12)
    np.testing.assert_allclose(shape.plain, [0, 2 * 0.5], atol=1e-12)
    # A square that turns by half a turn has the same shape in the end; the points of the first frame know better.
    turned = np.stack([SQUARE, SQUARE[[2, 3, 0, 1]]])
    shape = chamfer_over_time(truth, places, turned, places, "cpu", silent)
    motion = motion_chamfer(truth, places, turned, places, "cpu")
    expected = np.linalg.norm(places.on(SQUARE) - places.on(turned[1]), axis=1)
    assert shape.plain[1] < 0.2 * motion.plain[1]
    assert motion.plain[1] == pytest.approx(2 * expected.mean())
    assert motion.squared[1] == pytest.approx(2 * (expected**2).mean())


def test_normalisation_is_by_the_first_frame_alone():
    positions = np.stack([SQUARE * [4, 2, 1] + 7, SQUARE * 100])
    found = normalised_by_first_frame(positions)
    np.testing.assert_allclose(found[0].min(axis=0), [-1, -0.5, 0], atol=1e-6)
    np.testing.assert_allclose(found[0].max(axis=0), [1, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(found[1], (SQUARE * 100 - [9, 8, 7]) / 2, atol=1e-5)


def test_interval_of_confidence_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(60):
        summary = summarise(rng.normal(3.0, 1.0, 30), seed=trial)
        held += summary.low <= 3.0 <= summary.high
    assert 50 <= held <= 60
    one = summarise(np.array([2.5]))
    assert (one.mean, one.low, one.high, one.clips) == (2.5, 2.5, 2.5, 1)
