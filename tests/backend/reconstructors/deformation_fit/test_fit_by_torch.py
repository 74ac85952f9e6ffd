"""The fit of many frames at once, by PyTorch, against the fit of one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.errors import Cancelled
from motion324.core.progress import silent
from motion324.core.reference_mesh import Material
from motion324.core.view import look_at_origin
from motion324.mesh.colours import colours_at
from motion324.mesh.surface import sample_surface
from motion324.reconstructors.deformation_fit import reconstructor
from motion324.reconstructors.deformation_fit.deformation_graph import build_graph, deform
from motion324.reconstructors.deformation_fit.fit_problem import DRAFT, Pose, following, settings_for
from motion324.reconstructors.deformation_fit.frame_fit import add_pixel_pulls, solved_step
from motion324.reconstructors.deformation_fit.normal_equations import (
    add_points,
    add_rigid_edges,
    edge_residuals,
    mirror,
    rotated,
)
from motion324.reconstructors.deformation_fit.reconstructor import RefinedByFit
from motion324.reconstructors.deformation_fit.surface_graph import weld
from motion324.reconstructors.interface import FrameBatch, Scene

torch = pytest.importorskip("torch")

from motion324.reconstructors.deformation_fit.by_torch import drawings, equations, pulls  # noqa: E402
from motion324.reconstructors.deformation_fit.by_torch import together as together_fit  # noqa: E402
from motion324.reconstructors.deformation_fit.by_torch.point_set import (  # noqa: E402
    PointSet,
    Poses,
    PulledPoints,
    together,
)

VIEW = look_at_origin(0.0, 5.0, 2.0, 1.3)
KNEE, RIGIDITY = 0.02, 0.7
DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def graph():
    mesh = creature()
    surface = weld(mesh.positions, mesh.faces)
    return surface, build_graph(surface, 0, 24, lambda: None)


@pytest.fixture(scope="module")
def filmed() -> tuple[np.ndarray, Scene]:
    mesh, truth = creature(), waving(creature(), frames=5)
    return truth, Scene(mesh, sample_surface(mesh, 256, 0), *film(mesh, truth, VIEW), VIEW)


@pytest.fixture(scope="module")
def problem(filmed):
    return reconstructor._Fitting(filmed[1], following(DRAFT), None, lambda: None).problem


def bent_poses(count: int, frames: int) -> list[Pose]:
    rng = np.random.default_rng(1)
    turned = rotated(np.tile(np.eye(3), (count * frames, 1, 1)), 0.3 * rng.normal(size=(count * frames, 3)))
    moved = 0.05 * rng.normal(size=(frames, count, 3))
    return [Pose(r, t) for r, t in zip(turned.reshape(frames, count, 3, 3), moved, strict=True)]


def as_tensors(poses: list[Pose], like=None) -> Poses:
    return together(poses, torch.zeros(1, dtype=torch.float64) if like is None else like)


def test_the_equations_of_many_frames_are_those_of_each(graph):
    surface, graph = graph
    poses = bent_poses(len(graph.nodes), 3)
    rng = np.random.default_rng(2)
    root = rng.normal(size=(3, len(surface.points), 3, 3))
    metric, pull = root @ root.swapaxes(2, 3), rng.normal(size=(3, len(surface.points), 3))
    metric[:, ::3] = pull[:, ::3] = 0.0  # where no image says anything
    like = torch.zeros(1, dtype=torch.float64)
    points = PulledPoints(graph, surface.points, graph.point_nodes, graph.point_weights, like)
    summed = equations.Equations(graph, points, KNEE, like)
    hessians, gradients = summed.summed(as_tensors(poses), torch.as_tensor(metric), torch.as_tensor(pull), RIGIDITY)
    moved, size = points.moved(as_tensors(poses)).numpy(), 6 * len(graph.nodes)
    stepped = as_tensors(poses).stepped(equations.step(hessians.clone(), gradients))
    for t, pose in enumerate(poses):
        assert np.allclose(moved[t], deform(graph, pose.rotations, pose.translations, surface.points,
                                            graph.point_nodes, graph.point_weights), atol=1e-12)  # fmt: skip
        hessian, gradient = np.zeros((size, size)), np.zeros(size)
        add_points(hessian, gradient, pose.rotations, graph.nodes, surface.points, graph.point_nodes,
                   graph.point_weights, metric[t], pull[t])  # fmt: skip
        bent = edge_residuals(pose.rotations, pose.translations, graph.nodes, graph.edges)
        stiffness = RIGIDITY * graph.edge_weights / np.sqrt(1.0 + (bent / KNEE) ** 2) / len(graph.edges)
        add_rigid_edges(hessian, gradient, pose.rotations, pose.translations, graph.nodes, graph.edges, stiffness)
        expected = solved_step(hessian, gradient, pose)
        mirror(hessian)
        scale = np.abs(hessian).max()
        assert np.abs(equations.whole(hessians)[t].numpy() - hessian).max() < 1e-12 * scale
        assert np.abs(gradients[t].numpy() - gradient).max() < 1e-12 * np.abs(gradient).max()
        assert np.abs(stepped.rotations[t].numpy() - expected.rotations).max() < 1e-3


def test_a_target_pulls_as_much_as_in_one_frame_alone(problem):
    """Also where several pull the same point, and where one lies behind the camera."""
    rng = np.random.default_rng(3)
    camera, count = pulls.Camera(problem, torch.zeros(1, dtype=torch.float64)), len(problem.points)
    points = np.stack([problem.points, problem.points + 0.05])
    points[1, 5] = problem.view.position - problem.view.rotation[2]
    which = rng.integers(0, 40, (2, 90))
    which[:, 0] = 5
    pixels, weights = rng.uniform(0, 100, (2, 90, 2)), rng.uniform(0, 1, (2, 90))
    metric, pull = torch.zeros(2, count, 3, 3, dtype=torch.float64), torch.zeros(2, count, 3, dtype=torch.float64)
    targets = pulls.FrameTargets(*(torch.as_tensor(part) for part in (pixels, weights, which)))
    camera.add_pulls(metric, pull, torch.as_tensor(points), targets, 0.5, 0.2)
    for t in range(2):
        own, slope = np.zeros((count, 3, 3)), np.zeros((count, 3))
        add_pixel_pulls(own, slope, points[t], which[t], pixels[t], 0.5 * weights[t], problem.view.rotation,
                        problem.view.translation, *problem.intrinsics, 0.2, problem.unit)  # fmt: skip
        assert np.allclose(metric[t].numpy(), own, atol=1e-12 * np.abs(own).max())
        assert np.allclose(pull[t].numpy(), slope, atol=1e-12 * np.abs(slope).max())
    assert metric[0, 5].abs().max() > 0 and metric[1, 5].abs().max() == 0


def test_nodes_are_brought_to_where_their_points_are(problem):
    like = torch.zeros(1, dtype=torch.float64)
    p = problem
    points = PulledPoints(p.graph, p.vertex_rest, p.vertex_nodes, p.vertex_weights, like)
    turn, shift = rotated(np.eye(3)[None], np.array([[0.3, -1.2, 0.7]]))[0], np.array([0.1, 0.0, -0.2])
    poses = points.carried_to(torch.as_tensor((p.vertex_rest @ turn.T + shift)[None]))
    assert np.abs(points.moved(poses)[0].numpy() - (p.vertex_rest @ turn.T + shift)).max() < 0.01
    assert np.abs(poses.rotations[0].numpy() - turn).mean() < 0.05


def test_frames_fitted_together_lie_where_they_do_one_by_one(filmed):
    truth, scene = filmed
    predicted = (truth + truth[:1]) / 2
    (alone, one), (first, all_) = (positions_of(scene, predicted, gpu) for gpu in (None, DEVICE))
    size = error(np.broadcast_to(truth[:1], truth.shape), truth)
    assert error(all_, truth) < min(1.05 * error(one, truth), 0.8 * error(predicted, truth))
    assert error(all_, one) < 0.1 * size
    assert error(first, alone) < 0.1 * size
    assert np.array_equal(all_[0], one[0])


def test_the_same_frames_give_the_same_result_twice(filmed):
    truth, scene = filmed
    first, again = (positions_of(scene, truth, DEVICE)[1] for _ in range(2))
    # A GPU adds up what pulls one point in any order.
    assert np.array_equal(first, again) or (DEVICE != "cpu" and np.abs(first - again).max() < 2e-3)


def test_the_gpu_is_taken_where_there_is_one_and_told(filmed, monkeypatch):
    truth, scene = filmed
    asked = []
    monkeypatch.setattr(reconstructor, "torch_gpu", lambda device: asked.append(device) or "cpu")
    fitted = []
    on_device = together_fit.OnDevice
    monkeypatch.setattr(together_fit, "OnDevice", lambda *given: fitted.append(given[2]) or on_device(*given))
    refined = RefinedByFit(Predictor(truth), settings_for("draft"), device="auto")
    list(refined.reconstruct(scene, silent))
    assert asked == ["auto"] and fitted == ["cpu"]
    assert refined.details() == {"from": "test", "fitted": True, "fitted_on": "cpu"}


def test_where_the_gpu_fails_the_cpu_fits_and_every_frame_is_final_once(filmed, monkeypatch, caplog):
    truth, scene = filmed
    monkeypatch.setattr(reconstructor, "torch_gpu", lambda device: DEVICE)
    monkeypatch.setattr(together_fit.FitTogether, "window", 2)
    change, calls = together_fit.FitTogether.joint_change, []

    def full(self, window, seen, tell):
        calls.append(window.start)
        if window.start > 1:
            raise RuntimeError("out of memory")
        return change(self, window, seen, tell)

    monkeypatch.setattr(together_fit.FitTogether, "joint_change", full)
    refined = RefinedByFit(Predictor(truth), settings_for("draft"), device="auto")
    final = [t for batch in refined.reconstruct(scene, silent) if batch.final for t in batch.indices.tolist()]
    assert calls[-1] > 1 and sorted(final) == list(range(len(truth)))
    assert "out of memory" in caplog.text and "the CPU does it anew" in caplog.text


def test_fitting_together_can_be_cancelled_at_any_report(filmed):
    truth, scene = filmed
    for after in (3, 12, 30):
        reports = iter(range(after))

        def stop(stage: str, done: int, total: int, reports=reports) -> None:
            if next(reports, None) is None:
                raise Cancelled

        with pytest.raises(Cancelled):
            positions_of(scene, truth, DEVICE, stop)


def positions_of(scene, predicted, gpu, progress=silent) -> tuple[np.ndarray, np.ndarray]:
    """(T, N, 3) each: as every frame was fitted by itself, and at last."""
    stages = reconstructor._Stages(progress, len(predicted), refines=True)
    fitting = reconstructor._Fitting(scene, following(DRAFT), gpu, lambda: None)
    alone, final = np.full_like(predicted, np.nan), np.full_like(predicted, np.nan)
    for batch in reconstructor._fitted(fitting, stages, predicted.astype(np.float32)):
        (final if batch.final else alone)[batch.indices] = batch.positions
    return alone, final


def error(positions: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(positions - truth, axis=2).mean())


class Predictor:
    name, trembles = "given", True

    def __init__(self, positions: np.ndarray) -> None:
        self.positions = positions

    def details(self) -> dict[str, str]:
        return {"from": "test"}

    def reconstruct(self, scene, progress):
        yield FrameBatch(np.arange(len(self.positions)), self.positions, final=True)


def test_surfaces_drawn_together_look_as_each_drawn_alone(problem):
    like = torch.zeros(1, dtype=torch.float32)
    points = PointSet(problem.graph, problem.points, problem.point_nodes, problem.point_weights, like)
    poses = bent_poses(len(problem.graph.nodes), 3)
    drawn = drawings.Drawings(problem, points, like).of(as_tensors(poses, like))
    for pose, surface in zip(poses, drawn, strict=True):
        alone = problem.posed(pose)
        assert np.allclose(surface.points, alone.points, atol=1e-5)
        assert (surface.mask != alone.mask).mean() < 2e-3  # pixels whose centre an edge meets
        both = surface.mask & alone.mask
        assert both.mean() > 0.1
        assert np.median(np.abs(surface.depth[both] - alone.depth[both])) < 1e-5
        different = np.abs(surface.grey.astype(int) - alone.grey)[both]
        assert np.percentile(different, 95) <= 1 and different.mean() < 1


def test_a_surface_has_the_colours_of_its_materials_textures_and_vertices():
    rng = np.random.default_rng(4)
    mesh = creature()
    faces = len(mesh.faces)
    texture = rng.integers(0, 255, (7, 5, 4), dtype=np.uint8)
    materials = (
        Material(base_colour=(0.9, 0.5, 0.7, 1.0)),
        Material(base_colour=(0.8, 1.0, 0.6, 1.0), texture=texture),
    )
    mesh = replace(mesh, materials=materials, face_material=np.arange(faces, dtype=np.int32) % 2,
                   corner_uv=rng.uniform(-2, 3, (faces, 3, 2)).astype(np.float32))  # fmt: skip
    face, weights = rng.integers(0, faces, 500), rng.dirichlet(np.ones(3), 500).astype(np.float32)
    colours = drawings._SurfaceColours(mesh, torch.zeros(1))
    found = colours.at(torch.as_tensor(face), torch.as_tensor(weights)).numpy()
    assert np.abs(found - colours_at(mesh, face, weights)).max() < 1e-4
