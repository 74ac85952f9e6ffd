"""The compact model's file: equal in onnxruntime and in PyTorch, small, and refused where it is not one."""

from __future__ import annotations

import builtins
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs PyTorch, which is not installed here")
onnx = pytest.importorskip("onnx", reason="exporting needs the package onnx, which is not installed here")

from small_node_model import SMALL, small_node_model, write_small_node_model  # noqa: E402

from motion324.core.errors import Cancelled, Motion324Error  # noqa: E402
from motion324.core.processes import torch_gpu  # noqa: E402
from motion324.core.processes.machine import processor_count  # noqa: E402
from motion324.reconstructors.node_model import opening  # noqa: E402
from motion324.reconstructors.node_model.answers import Geometry, ModelInUse, Seen  # noqa: E402
from motion324.reconstructors.node_model.config import NodeModelConfig  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs  # noqa: E402
from motion324.reconstructors.node_model.model import NodeModel  # noqa: E402
from motion324.reconstructors.node_model.model_file import (  # noqa: E402
    FIRST,
    FIRST_ON_CPU,
    SIZES,
    WEIGHTS,
    read_model_file,
)
from motion324.reconstructors.node_model.onnx_file import OnnxNodeModel  # noqa: E402
from motion324.reconstructors.node_model.reconstructor import BUNDLED  # noqa: E402
from motion324.reconstructors.node_model.torch_model import TorchNodeModel  # noqa: E402
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


def by_onnxruntime(path: Path, device: str = "cpu") -> OnnxNodeModel:
    return OnnxNodeModel(path, read_model_file(path), device, nothing)


def by_pytorch(path: Path) -> TorchNodeModel:
    return TorchNodeModel(path, read_model_file(path), torch.device("cpu"))


def run(model: ModelInUse, inputs: NodeInputs) -> np.ndarray:
    names = ("times", "camera", "translation", "nodes", "tracks")
    geometry = Geometry(**{name: getattr(inputs, name)[0].numpy() for name in names})
    answer = model.first_answer(model.see(inputs.frames[0].numpy(), nothing), geometry, nothing)
    return model.moved_points(inputs.points[0].numpy(), geometry.nodes, answer.motions)


BOTH = pytest.mark.parametrize("opened", [by_onnxruntime, by_pytorch])


@BOTH
@pytest.mark.parametrize(("frames", "points"), [(4, 50), (2, 1), (9, 300)])
def test_a_file_computes_what_was_exported_for_any_number_of_frames_and_points(exported, opened, frames, points):
    inputs = random_inputs(frames, points)
    with torch.no_grad():
        expected = small_node_model()(inputs).positions[-1][0].numpy()
    assert np.abs(expected - expected[:1]).max() > 0.02, "a model that moves nothing proves nothing"
    found = run(opened(exported), inputs)
    assert found.shape == (frames, points, 3)
    assert np.abs(found - expected).max() < 1e-4


@BOTH
def test_a_model_that_takes_tracks_agrees_with_what_was_exported_with_and_without_them(tmp_path, opened):
    exported = write_small_node_model(tmp_path / "told.onnx", takes_tracks=True)
    told = random_inputs(4, 50)
    untold = replace(told, tracks=torch.zeros_like(told.tracks))
    found = []
    for inputs in (told, untold):
        with torch.no_grad():
            expected = small_node_model(takes_tracks=True)(inputs).positions[-1][0].numpy()
        found.append(run(opened(exported), inputs))
        assert np.abs(found[-1] - expected).max() < 1e-3
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_the_graphs_for_processors_and_for_accelerators_agree(exported):
    file, inputs = read_model_file(exported), random_inputs(4, 50)
    earlier = replace(file, graphs={name: graph for name, graph in file.graphs.items() if name != FIRST_ON_CPU})
    found = [run(OnnxNodeModel(exported, each, "cpu", nothing), inputs) for each in (file, earlier)]
    assert np.abs(found[0] - found[1]).max() < 1e-5
    normalise = [
        {node.op_type for node in onnx.load_from_string(file.graphs[name].packed).graph.node}
        for name in (FIRST_ON_CPU, FIRST)
    ]
    assert "LayerNormalization" not in normalise[0] and "LayerNormalization" in normalise[1]


@BOTH
def test_questions_asked_together_are_answered_as_one_by_one(tmp_path, opened):
    model = opened(write_small_node_model(tmp_path / "told.onnx", takes_tracks=True))
    inputs = [random_inputs(4, 50, seed) for seed in range(3)]
    names = ("times", "camera", "translation", "nodes", "tracks")
    questions = [
        (
            model.see(each.frames[0].numpy(), nothing),
            Geometry(**{name: getattr(each, name)[0].numpy() for name in names}),
        )
        for each in inputs
    ]
    for each, answer, (_, geometry) in zip(inputs, model.first_answers(questions, nothing), questions, strict=True):
        moved = model.moved_points(each.points[0].numpy(), geometry.nodes, answer.motions)
        assert np.abs(moved - run(model, each)).max() < 1e-5
        assert np.abs(moved - moved[:1]).max() > 0.02


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
    assert FIRST_ON_CPU in read_model_file(BUNDLED).graphs, "export it again: a CPU takes a sixth longer without"


def test_the_shipped_file_computes_in_onnxruntime_what_its_weights_do_in_pytorch(shipped):
    inputs = random_inputs(4, 200, sizes=shipped.config)
    with torch.no_grad():
        expected = shipped(inputs).positions[-1][0].numpy()
    assert np.abs(expected - expected[:1]).max() > 0.02, "a model that moves nothing proves nothing"
    assert np.abs(run(by_onnxruntime(BUNDLED), inputs) - expected).max() < 1e-3


def test_what_is_no_exported_model_cannot_be_trained_on(tmp_path, exported):
    (tmp_path / "cut.onnx").write_bytes(exported.read_bytes()[:-1000])
    for path in (tmp_path / "cut.onnx", tmp_path / "none.onnx"):
        with pytest.raises(Motion324Error) as caught:
            load_exported(path)
        assert caught.value.code in ("weights-broken", "weights-missing") and path.name in caught.value.sentence


def test_the_command_exports_what_training_saved(tmp_path, capsys):
    weights, out = tmp_path / "node_model.safetensors", tmp_path / "out.onnx"
    save_weights(weights, SMALL, dict(small_node_model(seed=3).named_parameters()))
    assert exporting.main([str(weights), str(out)]) == 0
    assert "out.onnx" in capsys.readouterr().out
    inputs = random_inputs(3, 20)
    model = by_onnxruntime(out, "auto")
    assert model.config == SMALL
    with torch.no_grad():
        expected = small_node_model(seed=3)(inputs).positions[-1][0].numpy()
    assert np.abs(run(model, inputs) - expected).max() < 1e-3


def test_the_command_makes_the_graphs_of_an_exported_file_anew(exported, tmp_path):
    out = tmp_path / "anew.onnx"
    assert exporting.main([str(exported), str(out)]) == 0
    assert out.read_bytes() == exported.read_bytes()


def test_weights_lie_in_the_file_once_and_in_half_precision(exported):
    file = read_model_file(exported)
    assert {value.dtype for value in file.weights.values()} == {np.dtype(np.float16)}
    for name, graph in file.graphs.items():
        opened = onnx.load_from_string(graph.packed)
        assert sum(len(constant.raw_data) for constant in opened.graph.initializer) < 4096, name
        assert {opset.version for opset in opened.opset_import} == {17}
    assert set().union(*(graph.weights for graph in file.graphs.values())) <= set(file.weights)


def test_the_same_model_gives_the_same_file(exported, tmp_path):
    assert write_small_node_model(tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


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


def changed(name: str, change: Callable[[bytes], bytes | None]) -> Callable[[bytes, Path], bytes]:
    """Writes the archive again with one part changed, or left out where `change` gives None."""

    def write(whole: bytes, aside: Path) -> bytes:
        (aside / "whole.zip").write_bytes(whole)
        with zipfile.ZipFile(aside / "whole.zip") as old, zipfile.ZipFile(aside / "new.zip", "w") as new:
            for part in old.namelist():
                content = change(old.read(part)) if part == name else old.read(part)
                if content is not None:
                    new.writestr(part, content)
        return (aside / "new.zip").read_bytes()

    return write


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole, _: whole[: len(whole) // 2],
        lambda whole, _: b"",
        changed(FIRST, lambda _: None),
        changed(FIRST_ON_CPU, lambda _: None),
        changed(FIRST_ON_CPU, lambda _: b"no graph"),
        changed(WEIGHTS, lambda packed: packed[:-100]),
        changed(SIZES, lambda _: b"\xff"),
    ],
)
def test_a_damaged_file_is_named(exported, tmp_path, damage):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(damage(exported.read_bytes(), tmp_path))
    with pytest.raises(Motion324Error) as caught:
        by_onnxruntime(path)
    assert caught.value.code == "weights-broken"
    assert "damaged.onnx" in caught.value.sentence


def test_a_run_that_fails_ends_those_beside_it(exported):
    model, inputs = by_onnxruntime(exported), random_inputs(4, 10)
    assert model.questions_at_once == (2 if processor_count() > 1 else 1)
    names = ("times", "camera", "translation", "nodes", "tracks")
    geometry = Geometry(**{name: getattr(inputs, name)[0].numpy() for name in names})
    seen = model.see(inputs.frames[0].numpy(), nothing)
    with pytest.raises(Motion324Error) as caught:
        model.first_answers([(seen, geometry), (seen, replace(geometry, nodes=geometry.nodes[:, :3]))], nothing)
    assert caught.value.code == "model-failed"
    assert len(model.first_answers([(seen, geometry)] * 3, nothing)) == 3


@BOTH
def test_a_run_can_be_stopped(exported, opened):
    model, inputs = opened(exported), random_inputs(4, 10)

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        model.see(inputs.frames[0].numpy(), stop)
    assert np.isfinite(run(model, inputs)).all(), "it can be used again"


@BOTH
def test_frames_can_be_seen_one_by_one_and_joined(exported, opened):
    model, frames = opened(exported), random_inputs(4, 10).frames[0].numpy()
    whole: Seen = model.see(frames, nothing)
    joined = model.joined([model.see(frame[None], nothing) for frame in frames])
    again = model.joined(whole.parted())
    for name in ("match_maps", "fine_maps", "patches"):
        assert np.array_equal(np.asarray(getattr(again, name)), np.asarray(getattr(whole, name)))
        assert np.abs(np.asarray(getattr(joined, name)) - np.asarray(getattr(whole, name))).max() < 1e-4


def test_a_model_is_kept_until_its_file_is_another_or_it_is_to_be_forgotten(exported, tmp_path):
    path = tmp_path / "kept.onnx"
    path.write_bytes(exported.read_bytes())
    first = opening.opened_model(path, "cpu", nothing)
    assert opening.opened_model(path, "cpu", nothing) is first
    write_small_node_model(path, takes_tracks=True)
    second = opening.opened_model(path, "cpu", nothing)
    assert second is not first and second.config.takes_tracks
    opening.forget_model()
    assert opening.opened_model(path, "cpu", nothing) is not second
    opening.forget_model()


def test_a_model_is_opened_once_where_it_was_begun_beforehand(exported, monkeypatch):
    opened, go_on = [], threading.Event()
    open_it = opening._opened

    def slowly(path: Path, device: str, check: Callable[[], None]) -> ModelInUse:
        opened.append(threading.current_thread().name)
        go_on.wait(10)
        return open_it(path, device, check)

    monkeypatch.setattr(opening, "_opened", slowly)
    opening.forget_model()
    for _ in range(2):
        opening.open_beforehand(exported, "cpu")
    checked = []

    def check() -> None:
        checked.append(True)
        go_on.set()

    model = opening.opened_model(exported, "cpu", check)
    assert checked and opened == ["motion324-open"]
    opening.open_beforehand(exported, "cpu")
    assert opening.opened_model(exported, "cpu", nothing) is model and len(opened) == 1
    opening.forget_model()


def test_what_goes_wrong_beforehand_is_told_where_the_model_is_needed(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    opening.open_beforehand(path, "cpu")
    with pytest.raises(Motion324Error) as caught:
        opening.opened_model(path, "cpu", nothing)
    assert caught.value.code == "weights-broken"


def test_pytorch_takes_the_gpu_that_onnxruntime_has_no_way_to(exported, tmp_path, monkeypatch):
    """The GPU is a stand-in: PyTorch's CPU under its name."""
    import onnxruntime

    from motion324.reconstructors.motion_transformer import device as devices

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(torch_gpu, "DRIVERS", [tmp_path])
    monkeypatch.setattr(devices, "choose_device", lambda name: torch.device("meta"))
    assert opening._torch_device("auto") == "meta" and opening._torch_device("cpu") is None
    assert opening.accelerator() == "cuda, PyTorch"
    monkeypatch.setattr(torch_gpu, "DRIVERS", [tmp_path / "none"])
    assert opening._torch_device("auto") is None and opening.accelerator() == "cpu"
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(torch_gpu, "DRIVERS", [tmp_path])
    assert opening._torch_device("auto") is None and opening.accelerator() == "cuda"


def test_a_gpu_that_onnxruntime_does_not_know_is_refused(exported, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(Motion324Error) as caught:
        by_onnxruntime(exported, "cuda:1")
    assert caught.value.code == "bad-option"
    assert by_onnxruntime(exported, "auto").place == "cpu"
