"""The compact model's file for onnxruntime: equal to PyTorch, small, and refused where it is not one."""

from __future__ import annotations

import base64
import builtins
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs PyTorch, which is not installed here")
onnx = pytest.importorskip("onnx", reason="exporting needs the package onnx, which is not installed here")

from small_node_model import SMALL, small_node_model, write_small_node_model  # noqa: E402

from motion324.core.errors import Cancelled, Motion324Error  # noqa: E402
from motion324.reconstructors.node_model.config import NodeModelConfig  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs  # noqa: E402
from motion324.reconstructors.node_model.model import NodeModel  # noqa: E402
from motion324.reconstructors.node_model.onnx_file import DECODER_KEY, OnnxNodeModel  # noqa: E402
from motion324.reconstructors.node_model.reconstructor import BUNDLED  # noqa: E402
from motion324.training.node_model import export as exporting  # noqa: E402
from motion324.training.node_model.weights_files import load_exported, save_weights  # noqa: E402


def nothing() -> None:
    """A check that never stops."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    return write_small_node_model(tmp_path_factory.mktemp("export") / "small.onnx")


def random_inputs(frames: int, points: int, seed: int = 0, sizes: NodeModelConfig = SMALL) -> NodeInputs:
    """With tracks, which only some models take."""
    torch.manual_seed(seed)
    return NodeInputs(
        frames=torch.rand(1, frames, 4, sizes.image_size, sizes.image_size),
        times=torch.cat([torch.zeros(1, 1), torch.arange(5, 4 + frames)[None].float()], dim=1),
        camera=torch.tensor([[2.1, 0.45, 0.52]]),
        translation=torch.tensor([[0.05, -0.02, 2.6]]),
        nodes=torch.cat([torch.rand(1, sizes.nodes, 3) - 0.5, torch.rand(1, sizes.nodes, 7)], dim=-1),
        points=torch.cat([torch.rand(1, points, 3) - 0.5, torch.rand(1, points, 6)], dim=-1),
        tracks=torch.cat([0.1 * torch.randn(1, frames, sizes.nodes, 3), torch.ones(1, frames, sizes.nodes, 2)], dim=-1),
    )


def run(model: OnnxNodeModel, inputs: NodeInputs) -> np.ndarray:
    names = ("frames", "times", "camera", "translation", "nodes", "tracks")
    given = {name: getattr(inputs, name)[0].numpy() for name in names}
    return model.moved_points(inputs.points[0].numpy(), given["nodes"], model.motions(**given, check=nothing))


@pytest.mark.parametrize(("frames", "points"), [(4, 50), (2, 1), (9, 300)])
def test_onnxruntime_agrees_with_pytorch_for_any_number_of_frames_and_points(exported, frames, points):
    inputs = random_inputs(frames, points)
    with torch.no_grad():
        expected = small_node_model()(inputs).positions[-1][0].numpy()
    assert np.abs(expected - expected[:1]).max() > 0.02, "a model that moves nothing proves nothing"
    found = run(OnnxNodeModel(exported, "cpu", nothing), inputs)
    assert found.shape == (frames, points, 3)
    assert np.abs(found - expected).max() < 1e-4


def test_a_model_that_takes_tracks_agrees_with_pytorch_with_and_without_them(tmp_path):
    exported = write_small_node_model(tmp_path / "told.onnx", takes_tracks=True)
    told = random_inputs(4, 50)
    untold = replace(told, tracks=torch.zeros_like(told.tracks))
    found = []
    for inputs in (told, untold):
        with torch.no_grad():
            expected = small_node_model(takes_tracks=True)(inputs).positions[-1][0].numpy()
        found.append(run(OnnxNodeModel(exported, "cpu", nothing), inputs))
        assert np.abs(found[-1] - expected).max() < 1e-3
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_an_exported_model_can_be_trained_on(exported):
    found, expected = (dict(model.named_parameters()) for model in (load_exported(exported), small_node_model()))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-3, atol=1e-4), name


@pytest.fixture(scope="module")
def shipped() -> NodeModel:
    return load_exported(BUNDLED).eval()


def test_the_shipped_model_holds_all_weights(shipped):
    assert sum(value.numel() for value in shipped.parameters()) > 19e6
    assert all(value.isfinite().all() for value in shipped.parameters())


def test_the_shipped_file_computes_in_onnxruntime_what_its_weights_do_in_pytorch(shipped):
    inputs = random_inputs(4, 200, sizes=shipped.config)
    with torch.no_grad():
        expected = shipped(inputs).positions[-1][0].numpy()
    assert np.abs(expected - expected[:1]).max() > 0.02, "a model that moves nothing proves nothing"
    assert np.abs(run(OnnxNodeModel(BUNDLED, "cpu", nothing), inputs) - expected).max() < 1e-3


def test_what_is_no_exported_model_cannot_be_trained_on(tmp_path, exported):
    (tmp_path / "cut.onnx").write_bytes(exported.read_bytes()[:-1000])
    for path in (tmp_path / "cut.onnx", tmp_path / "none.onnx"):
        with pytest.raises(Motion324Error) as caught:
            load_exported(path)
        assert caught.value.code == "weights-broken" and path.name in caught.value.sentence


def test_the_command_exports_what_training_saved(tmp_path, capsys):
    weights, out = tmp_path / "node_model.safetensors", tmp_path / "out.onnx"
    save_weights(weights, SMALL, dict(small_node_model(seed=3).named_parameters()))
    assert exporting.main([str(weights), str(out)]) == 0
    assert "out.onnx" in capsys.readouterr().out
    inputs = random_inputs(3, 20)
    model = OnnxNodeModel(out, "auto", nothing)
    assert model.config == SMALL
    with torch.no_grad():
        expected = small_node_model(seed=3)(inputs).positions[-1][0].numpy()
    assert np.abs(run(model, inputs) - expected).max() < 1e-3


def test_weights_lie_in_the_file_in_half_precision(exported):
    stored = onnx.load(exported).graph.initializer
    whole = sum(len(t.raw_data) for t in stored if t.data_type == onnx.TensorProto.FLOAT)
    half = sum(len(t.raw_data) for t in stored if t.data_type == onnx.TensorProto.FLOAT16)
    assert half > 10 * whole
    assert {opset.version for opset in onnx.load(exported).opset_import} == {17}


def test_without_onnx_one_sentence_says_so(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Motion324Error) as caught:
        exporting.export(small_node_model(), tmp_path / "out.onnx")
    assert caught.value.code == "onnx-missing"
    assert "train" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_missing_weights_are_an_exit_code_and_a_sentence(tmp_path, capsys):
    assert exporting.main([str(tmp_path / "none.safetensors"), str(tmp_path / "out.onnx")]) != 0
    assert "none.safetensors" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def without_decoder(whole: bytes) -> bytes:
    model = onnx.load_from_string(whole)
    del model.metadata_props[:]
    return model.SerializeToString()


def with_broken_decoder(whole: bytes) -> bytes:
    model = onnx.load_from_string(whole)
    for entry in model.metadata_props:
        if entry.key == DECODER_KEY:
            entry.value = base64.b64encode(b"no graph").decode()
    return model.SerializeToString()


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", without_decoder, with_broken_decoder]
)
def test_a_damaged_file_is_named(exported, tmp_path, damage):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(damage(exported.read_bytes()))
    with pytest.raises(Motion324Error) as caught:
        OnnxNodeModel(path, "cpu", nothing)
    assert caught.value.code == "weights-broken"
    assert "damaged.onnx" in caught.value.sentence


def test_a_run_can_be_stopped(exported):
    model = OnnxNodeModel(exported, "cpu", nothing)
    inputs = random_inputs(4, 10)
    given = {name: getattr(inputs, name)[0].numpy() for name in ("frames", "times", "camera", "translation", "nodes")}

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        model.motions(**given, tracks=None, check=stop)
    assert np.isfinite(model.motions(**given, tracks=None, check=nothing).state).all(), "it can be used again"


def test_a_gpu_that_onnxruntime_does_not_know_is_refused(exported, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(Motion324Error) as caught:
        OnnxNodeModel(exported, "cuda:1", nothing)
    assert caught.value.code == "bad-option"
    assert OnnxNodeModel(exported, "auto", nothing).place == "cpu"
