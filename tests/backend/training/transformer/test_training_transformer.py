"""Training of the motion transformer: it computes what the model computes, learns, and leaves weights that load."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_training import TINY, log_lines, tiny_config, write_training_release
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from fake_reconstructor import fake_find_view  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from motion324.cli.main import main  # noqa: E402
from motion324.core.errors import Motion324Error  # noqa: E402
from motion324.pipeline import animate as pipeline  # noqa: E402
from motion324.reconstructors.motion_transformer.checkpoint import load_model, verify  # noqa: E402
from motion324.reconstructors.motion_transformer.model import Points  # noqa: E402
from motion324.training.clips.synthetic_clips import training_clips, validation_clips  # noqa: E402
from motion324.training.shared.config import DataConfig, OptimiserConfig, SyntheticConfig  # noqa: E402
from motion324.training.shared.config_keys import as_toml  # noqa: E402
from motion324.training.transformer import checkpoints  # noqa: E402
from motion324.training.transformer.batched_transformer import BatchedTransformer, settle_attention, squared_error  # noqa: E402
from motion324.training.transformer.optimiser import build_optimiser, rate_at, update  # noqa: E402
from motion324.training.transformer.preparation import most_that_fit, random_batch, random_model  # noqa: E402
from motion324.training.transformer.training_run import EXPORTED, run_training  # noqa: E402

CPU = torch.device("cpu")
PARITY = Path(__file__).parents[5] / "shared" / "parity" / "ckpt_0000000000000007.pt"

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def release(tmp_path):
    write_training_release(tmp_path / "release")
    return tmp_path / "release"


@pytest.mark.parametrize("recompute", [False, True])
def test_a_batch_gives_what_the_model_gives_for_each_sample(recompute):
    config = tiny_config(Path(), Path())
    batch = random_batch(config, 3, CPU)
    gradients = {}
    for way in ("one by one", "batch"):
        model = random_model(TINY, 0)
        module = BatchedTransformer(model, 3, frozen_images=True, recompute=recompute)
        if way == "batch":
            found = module(batch.video, batch.surface, batch.points)
        else:
            found = torch.stack([model(_points(s), _points(p), v, 3) for v, s, p in zip(*_parts(batch), strict=True)])
        squared_error(found, batch.targets).backward()
        gradients[way] = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
        if way == "one by one":
            expected = found.detach()
    assert torch.allclose(found, expected, atol=1e-6)
    assert not any(name.startswith("image_encoder") for name in gradients["batch"])
    for name, value in gradients["batch"].items():
        assert value is not None, name
        assert torch.allclose(value, gradients["one by one"][name], atol=1e-6), name


def _parts(batch):
    return batch.video, batch.surface, batch.points


def _points(rows):
    return Points(rows[:, :3], rows[:, 3:6], rows[:, 6:])


def test_the_image_encoder_is_trained_where_it_is_not_frozen():
    batch = random_batch(tiny_config(Path(), Path()), 2, CPU)
    model = random_model(TINY, 0)
    module = BatchedTransformer(model, 3, frozen_images=False)
    squared_error(module(batch.video, batch.surface, batch.points), batch.targets).backward()
    assert all(value.grad is not None for value in model.image_encoder.parameters())


def test_the_loss_falls_on_a_handful_of_samples(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=60)
    config = replace(config, log=replace(config.log, every=10), validation=replace(config.validation, every=30))
    assert run_training(config)
    losses = [line["loss"] for line in log_lines(tmp_path / "out", "train")]
    assert losses[-1] < 0.25 * losses[0], losses
    ratios = [line["ratio"] for line in log_lines(tmp_path / "out", "validation")]
    assert ratios[-1] < ratios[0]


def test_the_exported_weights_animate_a_mesh(release, tmp_path, files, monkeypatch):
    monkeypatch.setattr(pipeline, "find_view", fake_find_view())
    path = tmp_path / "config.toml"
    path.write_text(as_toml(tiny_config(release, tmp_path / "out", count=2)))
    assert main(["train", str(path)]) == 0
    weights = tmp_path / "out" / EXPORTED
    assert json.loads(verify(weights)["config"]) == TINY.to_dict()
    arguments = ["animate", str(files / "box.obj"), str(files / "slide"), "-o", str(files / "out"), "--device", "cpu"]
    assert (
        main([*arguments, "--reconstructor", "motion-transformer", "--weights", str(weights), "--mask", "plain"]) == 0
    )
    assert (files / "out" / "trajectory.npz").is_file()


def test_training_starts_from_weights_and_leaves_a_frozen_image_encoder_alone(release, tmp_path):
    assert run_training(tiny_config(release, tmp_path / "a", count=1))
    config = tiny_config(release, tmp_path / "b", count=1)
    assert run_training(replace(config, init=str(tmp_path / "a" / EXPORTED), seed=3))
    before, after = load_file(tmp_path / "a" / EXPORTED), load_file(tmp_path / "b" / EXPORTED)
    for name, value in after.items():
        frozen = name.startswith("image_encoder") or name == "point_embed.basis"
        assert torch.equal(value, before[name]) == frozen, name


@pytest.mark.skipif(not PARITY.is_file(), reason="without the shared folder")
def test_the_published_checkpoint_format_resumes(release, tmp_path):
    config = tiny_config(release, tmp_path / "out", count=9, batch=2, batch_per_gpu=2)
    config = replace(config, optimiser=replace(config.optimiser, skip_above=0.0))
    assert run_training(replace(config, init=str(PARITY), continue_steps=True))
    assert [line["step"] for line in log_lines(tmp_path / "out", "train")] == [8, 9]
    before, after = load_model(PARITY, CPU, torch.float32), load_model(tmp_path / "out" / EXPORTED, CPU, torch.float32)
    assert after.config == before.config
    moved = [
        (value - before.state_dict()[name]).abs().max().item()
        for name, value in after.named_parameters()
        if not name.startswith("image_encoder")
    ]
    assert min(moved) > 0
    assert max(moved) < 0.02


def test_weights_of_dinov2_fill_the_image_encoder(release, tmp_path):
    tensors = dict(random_model(TINY, 9).image_encoder.model.state_dict())
    path = tmp_path / "dino.pth"
    torch.save({**tensors, "mask_token": torch.zeros(1, 24)}, path)
    config = tiny_config(release, tmp_path / "out", count=1)
    assert run_training(replace(config, image_encoder=str(path)))
    trained = load_file(tmp_path / "out" / EXPORTED)
    assert all(torch.equal(trained[f"image_encoder.model.{name}"], value) for name, value in tensors.items())
    save_file({name: value for name, value in tensors.items() if name != "norm.weight"}, tmp_path / "less.safetensors")
    with pytest.raises(Motion324Error, match=r"less\.safetensors.*it has no norm\.weight"):
        run_training(replace(config, out=str(tmp_path / "b"), image_encoder=str(tmp_path / "less.safetensors")))


def test_synthetic_clips_are_the_same_by_number_whatever_was_made_before(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two", "fish_pack__Whale"])
    config = SyntheticConfig(rigs=str(rigs), chunk=2, oversampling=1)
    data = DataConfig(frames=3, surface_points=50, query_points=40, image_size=32)
    clips = training_clips(config, data, 0, CPU)
    first = clips.make(7)
    again = training_clips(config, data, 0, CPU)
    again.make(3)
    again = again.make(7)
    assert set(first.names) <= {"a__one", "b__two"}
    assert all(torch.equal(value, again.tensors()[name]) for name, value in first.tensors().items())
    assert not torch.equal(first.video, clips.make(8).video)
    assert first.video.dtype == torch.uint8
    assert first.video.shape == (2, 3, 32, 32, 3)
    assert torch.equal(first.points[..., :3], first.targets[:, 0])
    assert torch.allclose(first.points[..., 3:6].norm(dim=-1), torch.ones(2, 40), atol=1e-4)
    low, high = first.surface[..., :3].amin(dim=1), first.surface[..., :3].amax(dim=1)
    assert ((high - low) <= 1 + 1e-5).all()
    held_out = validation_clips(config, data, 0, CPU)
    assert set(held_out.make(0).names) == {"fish_pack__Whale"}


def test_rigs_that_are_only_measured_on_are_not_enough_to_train_on(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["fish_pack__Whale"])
    data = DataConfig(frames=3, surface_points=50, query_points=40, image_size=32)
    with pytest.raises(Motion324Error, match=r"only measured on\. .*synthetic\.creatures"):
        training_clips(SyntheticConfig(rigs=str(rigs)), data, 0, CPU)
    assert training_clips(SyntheticConfig(rigs=str(rigs), creatures=1), data, 0, CPU).bank.names
    with pytest.raises(Motion324Error, match=r"--rigs.*synthetic\.rigs"):
        training_clips(SyntheticConfig(rigs=str(tmp_path)), data, 0, CPU)


def test_a_run_on_synthetic_clips_measures_and_keeps_the_best(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two", "fish_pack__Whale"])
    config = tiny_config(tmp_path, tmp_path / "out", count=8)
    config = replace(
        config,
        data=replace(config.data, kind="synthetic"),
        synthetic=SyntheticConfig(rigs=str(rigs), chunk=2, oversampling=1),
        validation=replace(config.validation, every=2),
        checkpoints=replace(config.checkpoints, every=1, keep=2),
    )
    assert run_training(config)
    measured = {line["step"]: line["ratio"] for line in log_lines(tmp_path / "out", "validation")}
    best = min(measured, key=lambda step: measured[step])
    kept = [int(path.name[5:]) for path in checkpoints.list_all(tmp_path / "out")]
    assert kept == sorted({best, 7, 8})
    exported = load_file(tmp_path / "out" / EXPORTED)
    chosen = load_file(checkpoints.folder_of(tmp_path / "out", best) / checkpoints.MODEL)
    assert all(torch.equal(value, chosen[name]) for name, value in exported.items())


def test_creatures_alone_are_enough_to_train_on_and_others_are_measured_on():
    config = SyntheticConfig(creatures=1, chunk=2, oversampling=1)
    data = DataConfig(frames=3, surface_points=20, query_points=20, image_size=32)
    clips, held_out = training_clips(config, data, 0, CPU), validation_clips(config, data, 0, CPU)
    assert clips.make(0).video.any()
    assert all(name.startswith("creature_") for name in held_out.make(0).names)
    seen = {tuple(shape) for shape in clips.bank.models([0]).rest[:4].tolist()}
    assert seen.isdisjoint(tuple(shape) for shape in held_out.bank.models([0]).rest[:4].tolist())


def test_the_rate_rises_to_its_peak_and_falls_as_a_cosine():
    config = OptimiserConfig(rate=1.0, warm_up=10)
    assert rate_at(config, 0, 110) == pytest.approx(0.1)
    assert rate_at(config, 9, 110) == rate_at(config, 10, 110) == 1.0
    assert rate_at(config, 60, 110) == pytest.approx(0.5)
    assert rate_at(config, 110, 110) == pytest.approx(0.0)


def test_only_matrices_decay():
    model = random_model(TINY, 0)
    decayed, others = build_optimiser(model, OptimiserConfig(), CPU).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)
    names = {id(value): name for name, value in model.named_parameters()}
    assert all(names[id(value)].endswith("weight") and value.dim() > 1 for value in decayed["params"])
    kept = {names[id(value)] for value in others["params"]}
    assert {"learnable_tokens", "special_token_0", "point_embed.mlp.bias", "decoder_cross_attn.norm2.weight"} <= kept


def test_long_gradients_are_shortened_and_outliers_left_out_after_the_warm_up():
    model = random_model(TINY, 0)
    config = OptimiserConfig(warm_up=5, clip=1.0, skip_above=5.0)
    parameters = [value for value in model.parameters() if value.requires_grad]
    for step, length, skipped in ((0, 50.0, False), (5, 4.0, False), (5, 6.0, True), (0, float("nan"), True)):
        optimiser = build_optimiser(model, config, CPU)
        for value in parameters:
            value.grad = torch.zeros_like(value)
        parameters[0].grad.flatten()[0] = length
        before = parameters[0].detach().clone()
        done = update(optimiser, parameters, config, step, 100, 1.0)
        assert done.skipped == skipped
        assert torch.equal(before, parameters[0]) == skipped
        if not skipped:
            assert parameters[0].grad.norm().item() == pytest.approx(1.0)


def test_the_batch_of_a_gpu_is_the_largest_that_its_memory_holds():
    def peak(size: int) -> int:
        return 100 + 10 * size

    assert most_that_fit(peak, [1, 2, 4, 8, 16], 190) == 8
    with pytest.raises(Motion324Error, match=r"8 samples at once.*steps\.recompute"):
        most_that_fit(peak, [8, 16], 150)

    def small(size: int) -> int:
        if size > 2:
            raise torch.OutOfMemoryError
        return peak(size)

    assert most_that_fit(small, [1, 2, 4], 125) == 2


def test_attention_kernels_that_fail_in_the_backward_pass_are_given_up():
    module = BatchedTransformer(random_model(TINY, 0), 3, frozen_images=True)
    used = []

    def step() -> None:
        used.append(module.attention.choice)
        if used[-1] in ("auto", "flash"):
            raise RuntimeError("no backward kernel")

    assert settle_attention(module, "auto", step) == "efficient"
    assert used == ["auto", "flash", "efficient"]
    with pytest.raises(Motion324Error, match=r"'flash'.*no backward kernel"):
        settle_attention(module, "flash", step)


def test_numbers_for_the_log_are_written_for_tensorboard(release, tmp_path):
    pytest.importorskip("tensorboard")
    config = tiny_config(release, tmp_path / "out", count=2)
    assert run_training(replace(config, log=replace(config.log, tensorboard=True)))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2]
    assert np.isfinite([event.value for event in events.Scalars("train/samples_per_second")]).all()


def test_weights_and_biases_that_is_not_installed_is_told_of(release, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    config = tiny_config(release, tmp_path / "out", count=1)
    with pytest.raises(Motion324Error, match=r"log\.wandb=offline.*pip install wandb"):
        run_training(replace(config, log=replace(config.log, wandb="offline")))


class FakeWandb:
    """Stands for the module and for the runs that it begins."""

    def __init__(self):
        self.begun, self.logged, self.finished = [], [], 0

    def init(self, **options):
        self.begun.append(options)
        return self

    def log(self, numbers, step):
        self.logged.append((step, numbers))

    def finish(self):
        self.finished += 1


def test_an_interrupted_run_is_one_run_for_weights_and_biases(release, tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    config = tiny_config(release, tmp_path / "out", count=1)
    config = replace(config, log=replace(config.log, wandb="offline", wandb_project="mine"))
    for count in (1, 2):
        assert run_training(replace(config, steps=replace(config.steps, count=count)))
        assert fake.finished == count
    first, second = fake.begun
    assert (first["mode"], first["project"], first["name"], first["resume"]) == ("offline", "mine", "out", "allow")
    assert first["id"] and second["id"] == first["id"]
    assert first["config"]["steps"]["count"] == 1
    assert [step for step, _ in fake.logged] == [1, 2]
    assert all(np.isfinite(numbers["train/loss"]) for _, numbers in fake.logged)
