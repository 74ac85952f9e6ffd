"""The compact model starts from the still mesh, learns, and is saved, found and gone on with."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from itertools import cycle

import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from small_node_model import SMALL  # noqa: E402
from torch.multiprocessing import spawn  # noqa: E402

from motion324.core.errors import EXIT_BACKEND, EXIT_BAD_MESH, Motion324Error  # noqa: E402
from motion324.reconstructors.node_model.config import NodeModelConfig  # noqa: E402
from motion324.reconstructors.node_model.geometry import ray_axes, rotation_from_6d, skin  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import NodeOutputs  # noqa: E402
from motion324.reconstructors.node_model.model import NodeModel  # noqa: E402
from motion324.training.clips.split import HELD_OUT  # noqa: E402
from motion324.training.node_model import run as compact  # noqa: E402
from motion324.training.node_model.batches import Synthesiser  # noqa: E402
from motion324.training.node_model.losses import losses  # noqa: E402
from motion324.training.node_model.optimiser import AveragedWeights, FlatGradients, learning_rate  # noqa: E402
from motion324.training.node_model.options import parse_options  # noqa: E402
from motion324.training.node_model.weights_files import load_weights, save_weights  # noqa: E402
from motion324.training.shared.gpu_work import Prefetcher  # noqa: E402
from motion324.training.shared.processes import Processes, join_processes, leave_processes  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings  # noqa: E402
from motion324.training.synthesis.rig_bank import RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")
SETTINGS = SynthesisSettings(frames=4, image_size=32, points=64, nodes=12)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def rigs(tmp_path_factory):
    return write_rigs(tmp_path_factory.mktemp("training") / "rigs", ["a__one", "b__two", min(HELD_OUT)])


@pytest.fixture(scope="module")
def synthesiser(rigs):
    return Synthesiser(RigBank(read_rigs(rigs), CPU), SETTINGS, None, 0)


def test_the_shipped_size_is_at_most_40_megabytes_in_half_precision():
    with torch.device("meta"):
        model = NodeModel(NodeModelConfig())
    assert 18e6 < sum(value.numel() for value in model.parameters()) < 19.9e6


def test_an_untrained_model_holds_the_mesh_still(synthesiser):
    batch = synthesiser.batch(3)
    outputs = NodeModel(SMALL)(batch.inputs)
    assert len(outputs.positions) == SMALL.rounds
    assert torch.allclose(outputs.positions[-1], batch.targets[:, :1].expand_as(batch.targets), atol=1e-5)


def test_the_reference_frame_stays_whatever_is_predicted(synthesiser):
    batch, model = synthesiser.batch(2), NodeModel(SMALL)
    for block in model.rounds:
        torch.nn.init.normal_(block.head.weight, std=0.5)
    positions = model(batch.inputs).positions[-1]
    assert torch.allclose(positions[:, 0], batch.targets[:, 0], atol=1e-5)
    assert not torch.allclose(positions[:, 1], batch.targets[:, 0], atol=1e-2)


def test_points_follow_a_rigid_motion_of_all_nodes():
    torch.manual_seed(0)
    points, nodes = torch.randn(2, 30, 3), torch.randn(2, 5, 3)
    rotation = rotation_from_6d(torch.randn(2, 3, 1, 6)).expand(-1, -1, 5, -1, -1)
    moved = (rotation @ nodes[:, None, ..., None]).squeeze(-1) + torch.tensor([1.0, 2, 3])
    weights = torch.rand(2, 30, 5).softmax(dim=-1)
    found = skin(points, nodes, weights, moved - nodes[:, None], rotation)
    expected = (rotation[:, :, :1] @ points[:, None, ..., None]).squeeze(-1) + torch.tensor([1.0, 2, 3])
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=1e-5)


def test_ray_axes_are_right_handed_and_look_along_the_ray():
    points = torch.tensor([[0.3, -0.2, 2.0], [0.0, 0.0, 1.0]])
    axes = ray_axes(points)
    assert torch.allclose(axes.mT @ axes, torch.eye(3).expand(2, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(axes), torch.ones(2), atol=1e-6)
    assert torch.allclose(axes[1], torch.eye(3), atol=1e-6)


def test_the_loss_falls_on_a_handful_of_clips(synthesiser):
    torch.manual_seed(0)
    batch, model = synthesiser.batch(4), NodeModel(SMALL)
    gradients = FlatGradients(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(40):
        gradients.clear()
        found = losses(model(batch.inputs), batch, 0.1)
        found.total.backward()
        gradients.average_and_clip(Processes(0, 1, CPU), 1.0)
        optimiser.step()
        history.append((found.points.item(), found.matches.item()))
    assert history[-1][0] < 0.7 * history[0][0]
    assert history[-1][1] < history[0][1]


def test_an_error_counts_by_the_motion_of_its_clip(synthesiser):
    batch = synthesiser.batch(2)
    still = batch.targets[:, :1]
    moved = (batch.targets - still) / (batch.targets - still).norm(dim=-1).mean(dim=(1, 2)).view(-1, 1, 1, 1)

    def lost(motion: float, left: float) -> float:
        """With so much motion, of which so much is left."""
        told = replace(batch, targets=still + motion * moved)
        answer = still + (1 - left) * motion * moved
        outputs = NodeOutputs([answer], torch.zeros(2 * 4 * 12, 1, 8, 8), [])
        return losses(outputs, told, 0.1).points.item()

    assert lost(0.02, 0.5) > 0.1 * lost(0.2, 0.5)
    assert lost(0.02, 1.0) > lost(0.02, 0.5) > lost(0.02, 0.0) == 0


def test_weights_come_back_in_half_precision_and_what_is_no_file_of_them_is_named(tmp_path):
    model = NodeModel(SMALL)
    path = tmp_path / "model.safetensors"
    save_weights(path, SMALL, dict(model.named_parameters()))
    assert list(tmp_path.iterdir()) == [path]
    loaded = load_weights(path)
    assert loaded.config == SMALL
    for name, value in model.named_parameters():
        assert torch.equal(dict(loaded.named_parameters())[name], value.half().float())
    path.write_bytes(path.read_bytes()[:-1000])
    for wrong, code in ((path, "weights-broken"), (tmp_path / "none.safetensors", "weights-missing")):
        with pytest.raises(Motion324Error, match=wrong.name) as caught:
            load_weights(wrong)
        assert caught.value.code == code


def test_broken_gradients_change_nothing():
    layer = torch.nn.Linear(3, 1)
    gradients = FlatGradients(layer)
    layer(torch.tensor([[math.nan, 1.0, 2.0]])).sum().backward()
    gradients.average_and_clip(Processes(0, 1, CPU), 1.0)
    assert layer.weight.grad.isfinite().all()
    gradients.clear()
    layer(torch.full((1, 3), 100.0)).sum().backward()
    assert gradients.average_and_clip(Processes(0, 1, CPU), 1.0) > 100
    assert gradients.vector.norm() == pytest.approx(1, abs=1e-4)


def test_the_learning_rate_rises_then_falls():
    assert learning_rate(1.0, 0, 10, 0.0) == pytest.approx(0.1)
    assert learning_rate(1.0, 50, 10, 0.0) == pytest.approx(1.0)
    assert learning_rate(1.0, 50, 10, 0.5) == pytest.approx(0.505)
    assert learning_rate(1.0, 50, 10, 1.0) == pytest.approx(0.01)


def test_averaged_weights_follow_slowly():
    model, averaged = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    average = AveragedWeights(averaged, 0.5)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.zeros_(averaged.weight)
    average.update(model)
    assert torch.allclose(averaged.weight, torch.full((1, 2), 1 - 2 / 11))
    for _ in range(40):
        average.update(model)
    assert torch.allclose(averaged.weight, torch.ones(1, 2), atol=1e-3)


def test_the_prefetcher_gives_batches_in_order_and_passes_errors_on(synthesiser):
    made = [synthesiser.batch(1) for _ in range(2)]
    waiting = iter(made)

    def make():
        batch = next(waiting, None)
        if batch is None:
            raise ValueError("no more")
        return batch

    prefetcher = Prefetcher(make, CPU)
    assert prefetcher.next() is made[0] and prefetcher.next() is made[1]
    with pytest.raises(ValueError, match="no more"):
        prefetcher.next()
    prefetcher.close()


def test_several_threads_make_batches_of_their_own(synthesiser):
    both = threading.Barrier(2, timeout=60)
    made = [synthesiser.batch(1), synthesiser.batch(1)]

    def make(one):
        both.wait()  # neither is made before the other one is begun
        return one

    prefetcher = Prefetcher([lambda: make(made[0]), lambda: make(made[1])], CPU, ahead=2)
    given = [prefetcher.next() for _ in range(2)]
    assert {id(batch) for batch in given} == {id(batch) for batch in made}
    both.abort()
    prefetcher.close()
    first, second = synthesiser.several(2)
    assert first is synthesiser and not torch.equal(first.batch(2).inputs.frames, second.batch(2).inputs.frames)


def test_earlier_batches_are_met_again_rather_than_waited_for(synthesiser):
    made, may_go_on = [synthesiser.batch(1) for _ in range(3)], threading.Event()
    waiting = iter(made)

    def make():
        batch = next(waiting)
        if batch is made[2]:
            may_go_on.wait(60)
        return batch

    prefetcher = Prefetcher(make, CPU, kept=2, most_repeats=3)
    assert [prefetcher.next() for _ in range(2)] == made[:2]
    again = [prefetcher.next() for _ in range(3)]
    assert all(batch is made[0] or batch is made[1] for batch in again) and prefetcher.repeats == 3
    may_go_on.set()
    assert prefetcher.next() is made[2]  # three repeats were the most
    prefetcher.close()


def test_some_earlier_batches_are_met_again_though_new_ones_are_ready(synthesiser):
    made = [synthesiser.batch(1) for _ in range(6)]
    waiting = cycle(made)
    prefetcher = Prefetcher(lambda: next(waiting), CPU, kept=2, again=1, most_repeats=0)
    given = [next(i for i, one in enumerate(made) if one is batch) for batch in (prefetcher.next() for _ in range(6))]
    assert given[:2] == [0, 1] and given[3] == 2 and given[5] == 3
    assert given[2] in (0, 1) and given[4] in (1, 2) and prefetcher.repeats == 2
    prefetcher.close()


def test_a_run_logs_measures_saves_and_can_be_gone_on_with(rigs, tmp_path):
    common = ["--rigs", str(rigs), "--seconds", "60", "--batch", "2", "--frames", "4", "--image-size", "32"]
    common += ["--nodes", "12", "--points", "64", "--most-steps", "4", "--validation-clips", "1", "--device", "cpu"]
    common += ["--tracks-share", "0"]
    first = parse_options([*common, "--out", str(tmp_path / "first")])
    log = compact.RunLog(first.out)
    found = compact.train(first, SMALL, join_processes("cpu"), log)
    log.close()
    entries = [json.loads(line) for line in (first.out / "log.jsonl").read_text().splitlines()]
    assert [entry["kind"] for entry in entries] == ["start", "checked", "warm", "validation"]
    assert found is not None and set(found.by_model) == {min(HELD_OUT)}
    assert found.ratio == pytest.approx(found.by_model[min(HELD_OUT)])
    assert (first.out / "clips.png").stat().st_size > 1000

    weights = first.out / compact.WEIGHTS_NAME
    second = parse_options([*common, "--out", str(tmp_path / "second"), "--init", str(weights), "--no-prefetch"])
    compact.train(second, NodeModelConfig(), join_processes("cpu"), compact.RunLog(second.out))
    assert load_weights(tmp_path / "second" / compact.WEIGHTS_NAME).config == SMALL


@pytest.mark.parametrize(
    ("names", "more", "words"),
    [
        ([], [], "0 of the rigged models"),
        (["a__one"], [], "none of the rigged models that are measured on"),
        ([min(HELD_OUT)], ["--creatures", "0"], "no rigged models but those that are only measured on"),
        (["a__one", min(HELD_OUT)], ["--init", "lost.safetensors"], "'lost.safetensors'"),
    ],
)
def test_what_a_run_lacks_is_an_exit_code_and_a_sentence(names, more, words, tmp_path, capsys):
    folder = write_rigs(tmp_path / "rigs", names)
    options = ["--rigs", str(folder), "--out", str(tmp_path / "out"), "--seconds", "1", "--device", "cpu"]
    assert compact.main([*options, *more]) in (EXIT_BAD_MESH, EXIT_BACKEND)
    told = capsys.readouterr().err
    assert told.startswith("motion324: The ") and words in told and len(told.splitlines()) == 1


def _gradient_of_half(rank, folder, port):
    import os

    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    processes = join_processes("cpu")
    torch.manual_seed(rank)  # other weights in each process, until they are made the same
    layer = torch.nn.Linear(5, 3)
    processes.same_start(layer)
    gradients = FlatGradients(layer)
    inputs = torch.load(folder / "inputs.pt", weights_only=True)
    layer(inputs[rank * 4 : rank * 4 + 4]).square().mean().backward()
    gradients.average_and_clip(processes, 1e9)
    torch.save((gradients.vector, layer.state_dict(), processes.share(rank + 7.0)), folder / f"out{rank}.pt")
    leave_processes(processes)


def test_two_processes_have_the_gradients_of_one(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inputs = torch.randn(8, 5)
    torch.save(inputs, tmp_path / "inputs.pt")
    spawn(_gradient_of_half, (tmp_path, port), nprocs=2)
    results = [torch.load(tmp_path / f"out{rank}.pt", weights_only=True) for rank in range(2)]
    layer = torch.nn.Linear(5, 3)
    layer.load_state_dict(results[0][1])
    gradients = FlatGradients(layer)
    layer(inputs).square().mean().backward()
    for vector, _, shared in results:
        assert torch.allclose(vector, gradients.vector, atol=1e-6)
        assert shared == 7.0
