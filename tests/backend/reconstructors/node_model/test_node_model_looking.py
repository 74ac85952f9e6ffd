"""A model that looks again, in use: its file, the drawings that it is shown, and its answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from creature import creature, film, waving

torch = pytest.importorskip("torch", reason="exporting needs PyTorch, which is not installed here")
pytest.importorskip("onnx", reason="exporting needs the package onnx, which is not installed here")

from small_node_model import SMALL  # noqa: E402

from motion324.core.errors import Cancelled, Motion324Error  # noqa: E402
from motion324.core.progress import silent  # noqa: E402
from motion324.core.reference_mesh import Material  # noqa: E402
from motion324.core.view import View, look_at_origin  # noqa: E402
from motion324.mesh.surface import sample_surface  # noqa: E402
from motion324.reconstructors.interface import Scene  # noqa: E402
from motion324.reconstructors.node_model.answers import Geometry, Seen  # noqa: E402
from motion324.reconstructors.node_model.config import FARTHEST_BEHIND  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs  # noqa: E402
from motion324.reconstructors.node_model.looking import draw_positions, drawable_mesh  # noqa: E402
from motion324.reconstructors.node_model.model import Drawings, NodeModel  # noqa: E402
from motion324.reconstructors.node_model.model_file import SEE, read_model_file  # noqa: E402
from motion324.reconstructors.node_model.onnx_file import OnnxNodeModel  # noqa: E402
from motion324.reconstructors.node_model.reconstructor import NodeModelReconstructor  # noqa: E402
from motion324.reconstructors.node_model.torch_model import TorchNodeModel  # noqa: E402
from motion324.training.node_model.export import export  # noqa: E402
from motion324.view.rasteriser import rasterise  # noqa: E402

VIEW = look_at_origin(20.0, 5.0, 2.0, 1.3)


def nothing() -> None:
    """A check that never stops."""


def looking_model(motion: float = 0.05) -> NodeModel:
    """A small model whose looks at drawings change what it answers. Its weights are numbers of half precision."""
    torch.manual_seed(3)
    model = NodeModel(replace(SMALL, first_rounds=1))
    with torch.no_grad():
        for block in model.rounds:
            torch.nn.init.normal_(block.head.weight, std=motion)
        for value in model.drawn_look.parameters():
            value.add_(0.05 * torch.randn_like(value))
        for value in model.parameters():
            value.copy_(value.half().float())
    return model.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("looking") / "looking.nodes"
    export(looking_model(), path)
    return path


def by_onnxruntime(path):
    return OnnxNodeModel(path, read_model_file(path), "cpu", nothing)


def by_pytorch(path):
    return TorchNodeModel(path, read_model_file(path), torch.device("cpu"))


@pytest.mark.parametrize("opened", [by_onnxruntime, by_pytorch])
@pytest.mark.parametrize("frames", [2, 4, 7])
def test_a_file_agrees_with_what_was_exported_look_by_look(weights, opened, frames):
    torch.manual_seed(0)
    side, k = SMALL.image_size, SMALL.nodes
    inputs = NodeInputs(
        frames=torch.rand(1, frames, 4, side, side),
        times=torch.arange(frames)[None].float(),
        camera=torch.tensor([[2.1, 0.45, 0.52]]),
        translation=torch.tensor([[0.05, -0.02, 2.6]]),
        nodes=torch.cat([torch.rand(1, k, 3) - 0.5, torch.rand(1, k, 7)], dim=-1),
        points=torch.cat([torch.rand(1, 40, 3) - 0.5, torch.rand(1, 40, 6)], dim=-1),
    )
    shown = [Drawings(torch.rand(1, frames, 4, side, side), 0.3 * torch.rand(1, frames, k)) for _ in range(2)]
    with torch.no_grad():
        waiting = iter(shown)
        expected = looking_model()(inputs, draw=lambda _: next(waiting), looks=2)
    model = opened(weights)
    names = ("times", "camera", "translation", "nodes")
    geometry = Geometry(*(getattr(inputs, name)[0].numpy() for name in names))
    seen = model.see(inputs.frames[0].numpy(), nothing)
    first = answer = model.first_answer(seen, geometry, nothing)
    found = []
    for drawings in shown:
        drawn: Seen = model.see(drawings.pictures[0].numpy(), nothing)
        answer = model.look_again(seen, drawn, drawings.behind[0].numpy(), geometry, first, answer, nothing)
        found.append(model.moved_points(inputs.points[0].numpy(), geometry.nodes, answer.motions))
    per_look = SMALL.rounds - 1
    for number, positions in enumerate(found):
        wanted = expected.positions[per_look * (number + 1)][0].numpy()
        assert np.abs(wanted - wanted[:1]).max() > 0.02, "a model that moves nothing proves nothing"
        assert np.abs(positions - wanted).max() < 1e-3
    assert np.abs(answer.doubt - expected.looks[-1].doubt[0].numpy()).max() < 1e-2
    assert np.abs(found[0] - found[1]).max() > 0.005


def test_a_drawing_shows_the_mesh_in_its_colours_where_the_view_sees_it():
    mesh = creature()
    square = View(VIEW.rotation, VIEW.translation, VIEW.focal, VIEW.centre)
    moved = np.stack([mesh.positions, mesh.positions + np.float32(0.1) * VIEW.rotation[0].astype(np.float32)])
    inside = mesh.positions.mean(axis=0)
    outside = inside + 5 * VIEW.rotation[0]
    nodes = np.stack([np.stack([inside, outside])] * 2).astype(np.float32)
    plain = draw_positions(mesh, square, moved, nodes, 64, False, nothing)
    mirrored = draw_positions(mesh, square, moved, nodes, 64, True, nothing)
    assert plain.pictures.shape == (2, 4, 64, 64) and plain.pictures.dtype == np.float32
    assert np.array_equal(plain.pictures[..., ::-1], mirrored.pictures)
    assert np.array_equal(plain.pictures[0, 3] > 0, rasterise(mesh.positions, mesh.faces, square, 64, 64).mask)
    columns = np.arange(64)
    centres = [(mask.sum(axis=0) * columns).sum() / mask.sum() for mask in plain.pictures[:, 3]]
    assert centres[1] > centres[0] + 2
    assert not plain.pictures[:, :3][np.broadcast_to(plain.pictures[:, 3:] == 0, (2, 3, 64, 64))].any()
    assert (plain.behind[:, 1] == np.float32(FARTHEST_BEHIND)).all()
    assert 0 < plain.behind[0, 0] < FARTHEST_BEHIND


def test_fine_textures_are_made_coarser_and_others_left():
    mesh = creature()
    fine = np.zeros((1024, 512, 4), np.uint8)
    fine[::2] = 200
    textured = replace(mesh, materials=(Material(texture=fine), Material()))
    coarse = drawable_mesh(textured).materials
    assert coarse[0].texture.shape == (256, 128, 4) and np.ptp(coarse[0].texture[..., 0]) < 5
    assert coarse[1] == textured.materials[1]


def test_a_reconstruction_looks_again_in_every_window_and_can_be_stopped(weights, monkeypatch):
    monkeypatch.setattr("motion324.reconstructors.node_model.reconstructor.SEEN_AT_ONCE", 2)
    mesh = creature()
    pictures, masks = film(mesh, waving(mesh, 7), VIEW, size=96)
    scene = Scene(mesh, sample_surface(mesh, 2000, 0), pictures, masks, VIEW)
    reconstructor = NodeModelReconstructor(str(weights), "cpu")
    found = {int(batch.indices[0]): batch.positions[0] for batch in reconstructor.reconstruct(scene, silent)}
    assert sorted(found) == list(range(7))
    assert np.abs(found[0] - mesh.positions).max() < 1e-5
    assert max(np.abs(found[t] - mesh.positions).max() for t in range(1, 7)) > 0.01
    assert reconstructor.details()["windows"] > 1 and not reconstructor.takes_tracks(silent)

    def stop(*_: object) -> None:
        raise Cancelled()

    with pytest.raises(Cancelled):
        list(NodeModelReconstructor(str(weights), "cpu").reconstruct(scene, stop))


def test_a_file_that_is_no_whole_model_is_named(weights, tmp_path):
    import zipfile

    broken = tmp_path / "broken.nodes"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("see.onnx", b"no graph")
    with pytest.raises(Motion324Error, match=r"broken\.nodes") as caught:
        by_onnxruntime(broken)
    assert caught.value.code == "weights-broken"


def test_memory_that_runs_out_on_the_cpu_is_told_as_that(weights, monkeypatch):
    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError("bad allocation: Failed to allocate memory for requested buffer of size 8589934592")

    model = by_onnxruntime(weights)
    monkeypatch.setitem(model._sessions, SEE, Full())
    with pytest.raises(MemoryError):
        model.see(np.zeros((2, 4, SMALL.image_size, SMALL.image_size), np.float32), nothing)
