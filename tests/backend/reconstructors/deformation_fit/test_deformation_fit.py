"""The weights-free reconstructor and its parts."""

from __future__ import annotations

import gc
import time

import cv2
import numpy as np
import pytest
from creature import creature, film, tube, waving
from scipy.sparse.csgraph import connected_components

from motion324.core.errors import Cancelled
from motion324.core.options.animate_options import QUALITIES, AnimateOptions
from motion324.core.progress import silent
from motion324.core.view import look_at_origin
from motion324.mesh.surface import sample_surface
from motion324.reconstructors.deformation_fit import (
    fit_problem,
    joint_equations,
    observations,
    reconstructor,
)
from motion324.reconstructors.deformation_fit.deformation_graph import build_graph, deform
from motion324.reconstructors.deformation_fit.fit_problem import (
    DRAFT,
    FitProblem,
    following,
    settings_for,
    working_images,
)
from motion324.reconstructors.deformation_fit.frame_tree import SIZE, _differences, frame_tree
from motion324.reconstructors.deformation_fit.normal_equations import (
    add_points,
    add_rigid_edges,
    factored,
    mirror,
    rotated,
    solved,
)
from motion324.reconstructors.deformation_fit.observations import JOINT_WINDOW, Observer
from motion324.reconstructors.deformation_fit.reconstructor import DeformationFit
from motion324.reconstructors.deformation_fit.surface_graph import LONGEST_EDGE, split_long_edges, unique_edges, weld
from motion324.reconstructors.interface import Scene
from motion324.view.rasteriser import Raster

VIEW = look_at_origin(0.0, 5.0, 2.0, 1.3)


def scene_of(trajectory: np.ndarray, **changes) -> Scene:
    mesh = creature()
    frames, masks = film(mesh, trajectory, VIEW)
    return Scene(mesh, sample_surface(mesh, 256, 0), frames, masks, VIEW, **changes)


@pytest.fixture(scope="module")
def waved():
    """(truth (T, N, 3), first positions, final positions, batches) of the creature waving."""
    truth = waving(creature())
    batches = list(DeformationFit().reconstruct(scene_of(truth), silent))
    rough, final = np.full_like(truth, np.nan), np.full_like(truth, np.nan)
    for batch in batches:
        (final if batch.final else rough)[batch.indices] = batch.positions
    return truth, rough, final, batches


def error(positions: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(positions - truth, axis=2).mean())


def test_motion_across_the_view_is_recovered(waved):
    truth, rough, final, _ = waved
    still = error(np.broadcast_to(truth[:1], truth.shape), truth)
    assert error(rough, truth) < 0.35 * still
    assert error(final, truth) < 0.35 * still


@pytest.mark.parametrize("quality", ["draft", "fine"])
def test_other_qualities_recover_it_too(quality):
    truth = waving(creature(), frames=5)
    still = error(np.broadcast_to(truth[:1], truth.shape), truth)
    fit = DeformationFit(settings_for(quality))
    final = {int(b.indices[0]): b.positions[0] for b in fit.reconstruct(scene_of(truth), silent) if b.final}
    assert error(np.stack([final[t] for t in range(5)]), truth) < 0.45 * still


def test_the_standard_quality_is_that_of_no_wish():
    assert settings_for(AnimateOptions().quality) == DeformationFit().settings
    assert all(settings_for(quality) for quality in QUALITIES)


def test_every_frame_comes_roughly_at_once_and_finally_once(waved):
    truth, _, _, batches = waved
    rough = [int(i) for b in batches if not b.final for i in b.indices]
    final = [int(i) for b in batches if b.final for i in b.indices]
    assert sorted(rough) == sorted(final) == list(range(len(truth)))


def test_the_first_frame_is_the_reference_mesh(waved):
    truth, _, final, _ = waved
    assert np.abs(final[0] - truth[0]).max() < 1e-6


def test_the_same_seed_gives_the_same_result():
    """In whichever order the frames come, which are fitted side by side."""
    scene = scene_of(waving(creature(), frames=3))
    first, again = (
        {
            (batch.final, *batch.indices.tolist()): batch.positions
            for batch in DeformationFit().reconstruct(scene, silent)
        }
        for _ in range(2)
    )
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[key], again[key]) for key in first)


def test_a_still_object_stays_still():
    truth = np.repeat(creature().positions[None], 4, axis=0)
    for batch in DeformationFit().reconstruct(scene_of(truth), silent):
        assert np.abs(batch.positions - truth[batch.indices]).max() < 0.02


def test_frames_where_the_object_was_not_found_do_not_break_the_fit():
    truth = waving(creature(), frames=4)
    scene = scene_of(truth)
    scene.masks[2] = 0.0
    final = [b for b in DeformationFit().reconstruct(scene, silent) if b.final]
    assert all(np.isfinite(b.positions).all() for b in final)


def test_the_fit_can_be_cancelled_at_any_report():
    truth = waving(creature(), frames=3)
    reports = 0

    def stop(stage: str, done: int, total: int) -> None:
        nonlocal reports
        reports += 1
        if reports == 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(DeformationFit().reconstruct(scene_of(truth), stop))


def test_splitting_keeps_a_closed_surface_closed_and_its_points_in_place():
    points, faces = tube(np.array([-0.5, 0.0, 0.0]), np.array([0.5, 0.0, 0.0]), 0.3, rings=3, sides=5)
    split_points, split_faces = split_long_edges(points, faces, 0.1)
    assert np.array_equal(split_points[: len(points)], points)
    edges = unique_edges(split_faces)
    assert np.linalg.norm(split_points[edges[:, 0]] - split_points[edges[:, 1]], axis=1).max() <= 0.1
    sides = np.sort(split_faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(sides, axis=0, return_counts=True)[1] == 2).all()  # every edge between exactly two triangles
    assert area(split_points, split_faces) == pytest.approx(area(points, faces))


def area(points: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (points[faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_vertices_split_at_seams_are_one_point_and_loose_parts_hang_together():
    mesh = creature()  # body, arm and head are three closed parts
    soup = mesh.positions[mesh.faces].reshape(-1, 3)
    surface = weld(soup, np.arange(len(soup)).reshape(-1, 3))
    assert surface.vertex_point.max() + 1 == len(np.unique(mesh.positions.round(5), axis=0))
    assert np.allclose(surface.points[surface.vertex_point], soup, atol=1e-6)
    assert connected_components(surface.lengths)[0] == 1
    edges = unique_edges(surface.faces)
    assert np.linalg.norm(surface.points[edges[:, 0]] - surface.points[edges[:, 1]], axis=1).max() <= LONGEST_EDGE


def loose_triangles(count: int) -> tuple[np.ndarray, np.ndarray]:
    """positions (3 count, 3) and faces (count, 3) of small triangles on a sphere."""
    middles = np.random.default_rng(0).normal(size=(count, 3))
    middles *= 0.5 / np.linalg.norm(middles, axis=1)[:, None]
    corners = 0.004 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    return (middles[:, None] + corners).reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def test_every_loose_part_is_tied_to_the_nearest_other_one_by_the_shortest_links():
    positions, faces = loose_triangles(60)
    surface = weld(positions, faces)
    assert len(surface.points) == len(positions)
    part = np.arange(len(positions)) // 3
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    apart[part[:, None] == part[None]] = np.inf
    for which in range(60):
        wanted = np.sort(apart[part == which].min(axis=1))  # one link from each of its corners
        rows = surface.lengths[part == which].tocoo()
        found = np.sort(rows.data[part[rows.col] != which])
        assert all(np.isclose(found, length).any() for length in wanted) or which == 0  # the largest gets ties only


def test_ten_thousand_loose_parts_take_about_a_second_and_can_be_cancelled():
    """Once every part searched all others: 3,000 took 44 s."""
    positions, faces = loose_triangles(10_000)
    began, looks = time.process_time(), [time.process_time()]
    surface = weld(positions, faces, lambda: looks.append(time.process_time()))
    build_graph(surface, 0, 96, lambda: looks.append(time.process_time()))
    assert time.process_time() - began < 3  # 0.5 to 1 s; the machine may be busy
    assert max(np.diff(looks)) < 0.5
    assert connected_components(surface.lengths)[0] == 1

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        weld(positions, faces, cancel)


def test_a_rigid_motion_of_all_nodes_moves_every_point_rigidly():
    mesh = creature()
    surface = weld(mesh.positions, mesh.faces)
    graph = build_graph(surface, 0, 96, lambda: None)
    assert np.allclose(graph.point_weights.sum(axis=1), 1.0)
    turn = rotated(np.eye(3)[None], np.array([[0.3, -0.8, 0.5]]))[0]
    shift = np.array([0.1, 0.2, -0.3])
    translations = graph.nodes @ turn.T + shift - graph.nodes
    rotations = np.tile(turn, (len(graph.nodes), 1, 1))
    moved = deform(graph, rotations, translations, surface.points, graph.point_nodes, graph.point_weights)
    assert np.allclose(moved, surface.points @ turn.T + shift, atol=1e-12)


def test_normal_equations_are_the_derivatives_of_the_energy():
    rng = np.random.default_rng(5)
    nodes, points = rng.normal(size=(6, 3)), rng.normal(size=(20, 3))
    follow = np.argsort(rng.random((20, 6)), axis=1)[:, :3].astype(np.int32)
    weights = rng.dirichlet(np.ones(3), 20)
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0], [1, 4]], np.int32)
    edge_weights = rng.uniform(0.5, 2.0, len(edges))
    roots = rng.normal(size=(20, 3, 3))
    metric = np.einsum("pab,pcb->pac", roots, roots)
    goal = rng.normal(size=(20, 3))
    rotations, translations = rotated(np.tile(np.eye(3), (6, 1, 1)), rng.normal(size=(6, 3))), rng.normal(size=(6, 3))

    def moved(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = x.reshape(6, 6)
        r, t = rotated(rotations, x[:, :3]), translations + x[:, 3:]
        at = np.einsum("pk,pkab,pkb->pa", weights, r[follow], points[:, None] - nodes[follow])
        return at + np.einsum("pk,pka->pa", weights, (nodes + t)[follow]), r, t

    def residuals(x: np.ndarray) -> np.ndarray:
        at, r, t = moved(x)
        i, j = edges.T
        d = nodes[j] - nodes[i]
        ahead = np.einsum("eab,eb->ea", r[i], d) - d + t[i] - t[j]
        back = -np.einsum("eab,eb->ea", r[j], d) + d + t[j] - t[i]
        rigid = np.sqrt(edge_weights)[:, None] * np.concatenate([ahead, back], axis=1)
        return np.concatenate([np.einsum("pba,pb->pa", roots, at - goal).ravel(), rigid.ravel()])

    hessian, gradient = np.zeros((36, 36)), np.zeros(36)
    pull = np.einsum("pab,pb->pa", metric, moved(np.zeros(36))[0] - goal)
    add_points(hessian, gradient, rotations, nodes, points, follow, weights, metric, pull)
    add_rigid_edges(hessian, gradient, rotations, translations, nodes, edges, edge_weights)
    mirror(hessian)
    step = 1e-6
    jacobian = np.stack([(residuals(step * e) - residuals(-step * e)) / (2 * step) for e in np.eye(36)], axis=1)
    assert np.allclose(gradient, jacobian.T @ residuals(np.zeros(36)), atol=1e-5)
    assert np.allclose(hessian, jacobian.T @ jacobian, atol=1e-5)


def test_no_drawings_of_frames_are_kept(waved):
    """Of a long video they would take gigabytes."""
    truth, before = waved[0], _drawings()
    settings = following(settings_for("standard"))
    stages = reconstructor._Stages(silent, len(truth), refines=True)
    fitting = reconstructor._Fitting(scene_of(truth), settings, None, lambda: None)
    done = 0
    for _ in reconstructor._fitted(fitting, stages, truth.astype(np.float32), jointly=False):
        done += 1
        if done == len(truth):
            assert _drawings() - before <= 1
    assert done == len(truth) > 4


def _drawings() -> int:
    return sum(isinstance(thing, Raster) for thing in gc.get_objects())


def test_a_frame_that_looks_like_the_first_again_is_reached_from_there():
    truth = waving(creature(), frames=4)
    there_and_back = np.concatenate([truth, truth[::-1]])
    frames, masks = film(creature(), there_and_back, VIEW)
    greys = [np.where(m > 0, 60 + f[..., 0] // 2, 0).astype(np.uint8) for f, m in zip(frames, masks, strict=True)]
    order, parent = frame_tree(greys)
    assert parent[0] == -1
    assert parent[7] == 0
    assert sorted(order) == list(range(8))
    assert all(order.index(int(parent[t])) < order.index(t) for t in order[1:])


def test_frames_are_compared_once_for_all_fits_and_each_pair_but_once(monkeypatch):
    given = scene_of(waving(creature(), frames=5))
    images = working_images(given.frames, given.masks, VIEW, 64)
    problem = FitProblem(given.mesh, images, DRAFT, 0)
    order, parent = problem.tree()
    monkeypatch.setattr(fit_problem, "frame_tree", None)  # nobody compares them again
    assert problem.tree() == (order, parent)
    small = np.stack([cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for grey in images.greys]) / 255.0
    whole = [[np.abs(a - b)[np.maximum(a, b) > 0.02].mean() if (a != b).any() else 0.0 for b in small] for a in small]
    found = _differences([cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for grey in images.greys])
    np.testing.assert_allclose(found, whole, atol=1e-5)
    np.testing.assert_array_equal(found, found.T)


def test_of_a_long_video_only_the_flows_are_kept_that_are_looked_at_again_soon(monkeypatch):
    given = scene_of(waving(creature(), frames=5))
    problem = FitProblem(given.mesh, working_images(given.frames, given.masks, VIEW, 64), DRAFT, 0)
    assert Observer(problem)._flow.cache_parameters()["maxsize"] == 4 * 5
    monkeypatch.setattr(observations, "FLOW_BYTES_KEPT", 1 << 10)
    assert Observer(problem)._flow.cache_parameters()["maxsize"] >= 2 * (JOINT_WINDOW + 1)


def test_a_step_s_factor_is_cholesky_s_and_solves_the_equations():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 90)).astype(np.float32)
    matrix, right = rows @ rows.T + 90 * np.eye(90, dtype=np.float32), rng.normal(size=90)
    factor = factored(np.triu(matrix) + np.tril(np.full_like(matrix, 7), -1))  # what lies below is not looked at
    assert np.abs(np.tril(factor) - np.linalg.cholesky(matrix)).max() < 1e-4
    assert np.abs(matrix @ solved(factor, right) - right).max() < 1e-4
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite at row 3"):
        factored(np.diag(np.array([1, 2, -1, 4], np.float32)))


def test_conjugate_gradients_solve_the_joint_equations():
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(4, 12, 12))
    blocks = np.stack([r @ r.T + np.eye(12) for r in roots])
    gradients = rng.normal(size=(4, 12))
    translations = rng.normal(size=(6, 2, 3))  # two frames before the four are known
    found = joint_equations.solve(blocks.copy(), gradients, translations, 0.7, lambda: None)
    second = np.zeros((4, 6))
    for k in range(4):
        second[k, k : k + 3] = 1, -2, 1
    ties = np.kron(second, np.eye(12)[[3, 4, 5, 9, 10, 11]])[:, 24:]
    system = np.zeros((48, 48))
    for k, block in enumerate(blocks):
        at = np.arange(12) + 12 * k
        system[np.ix_(at, at)] = block + np.diag(1e-6 + 1e-4 * np.diag(block))
    system += 0.7 * ties.T @ ties
    bend = (second @ translations.reshape(6, 6)).ravel()
    expected = np.linalg.solve(system, -gradients.ravel() - 0.7 * ties.T @ bend)
    assert np.allclose(found.ravel(), expected, atol=5e-3)
