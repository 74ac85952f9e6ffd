"""The fit of many frames at once, by PyTorch, against the fit of one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from creature import creature

from motion324.mesh.surface import sample_surface
from motion324.reconstructors.deformation_fit.deformation_graph import build_graph, deform
from motion324.reconstructors.deformation_fit.fit_problem import Pose
from motion324.reconstructors.deformation_fit.frame_fit import solved_step
from motion324.reconstructors.deformation_fit.normal_equations import (
    add_points,
    add_rigid_edges,
    edge_residuals,
    mirror,
    rotated,
)
from motion324.reconstructors.deformation_fit.surface_graph import weld

torch = pytest.importorskip("torch")

from motion324.reconstructors.deformation_fit.by_torch import equations  # noqa: E402
from motion324.reconstructors.deformation_fit.by_torch.point_set import Poses, PulledPoints  # noqa: E402

KNEE, RIGIDITY = 0.02, 0.7


@pytest.fixture(scope="module")
def graph():
    mesh = creature()
    surface = weld(mesh.positions, mesh.faces)
    return surface, build_graph(surface, 0, 24, lambda: None)


def bent_poses(count: int, frames: int) -> list[Pose]:
    rng = np.random.default_rng(1)
    turned = rotated(np.tile(np.eye(3), (count * frames, 1, 1)), 0.3 * rng.normal(size=(count * frames, 3)))
    moved = 0.05 * rng.normal(size=(frames, count, 3))
    return [Pose(r, t) for r, t in zip(turned.reshape(frames, count, 3, 3), moved, strict=True)]


def together(poses: list[Pose]) -> Poses:
    return Poses(*(torch.as_tensor(np.stack([getattr(pose, name) for pose in poses]))
                   for name in ("rotations", "translations")))  # fmt: skip


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
    hessians, gradients = summed.summed(together(poses), torch.as_tensor(metric), torch.as_tensor(pull), RIGIDITY)
    moved, size = points.moved(together(poses)).numpy(), 6 * len(graph.nodes)
    stepped = together(poses).stepped(equations.step(hessians.clone(), gradients))
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
