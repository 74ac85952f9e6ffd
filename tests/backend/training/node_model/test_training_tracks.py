"""The tracks that the compact model is told in training: the truth, with the errors of a fit of its first answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from small_node_model import SMALL  # noqa: E402

from motion324.reconstructors.node_model.config import NodeModelConfig  # noqa: E402
from motion324.reconstructors.node_model.geometry import project  # noqa: E402
from motion324.reconstructors.node_model.model import NodeModel  # noqa: E402
from motion324.training.clips.split import HELD_OUT  # noqa: E402
from motion324.training.node_model import run as compact  # noqa: E402
from motion324.training.node_model.batches import (  # noqa: E402
    Synthesiser,
    estimated_tracks,
    moved_across,
    with_own_errors,
    without_tracks,
)
from motion324.training.node_model.model import starting_model  # noqa: E402
from motion324.training.node_model.options import parse_options  # noqa: E402
from motion324.training.node_model.weights_files import load_weights  # noqa: E402
from motion324.training.shared.processes import join_processes  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings  # noqa: E402
from motion324.training.synthesis.rig_bank import Draws, RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")
CLIPS, FRAMES, NODES = 40, 6, 24

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def moving():
    """Nodes in front of cameras (home (B, K, 3)), their displacements (B, T, K, 3), and where they are seen."""
    torch.manual_seed(1)
    home = torch.rand(CLIPS, NODES, 3) - 0.5 + torch.tensor([0.0, 0.0, 3.0])
    displacement = 0.1 * torch.randn(CLIPS, FRAMES, NODES, 3)
    displacement[:, 0] = 0
    camera = torch.tensor([[2.0, 0.45, 0.55]]).expand(CLIPS, 3)
    places = project(home[:, None] + displacement, camera)
    seen = torch.rand(CLIPS, FRAMES, NODES) < 0.6
    return home, displacement, camera, places, seen


def told(moving, answer, share=1.0):
    home, _, camera, places, seen = moving
    tracks, errors = estimated_tracks(places, seen, home, camera[:, 0], share, Draws(3, CPU))
    return with_own_errors(tracks, errors, home, answer), errors


def across(found, truth):
    return (found - truth).norm(dim=-1).mean().item()


def test_a_displacement_moves_across_the_view_as_far_as_its_projection(moving):
    home, displacement, camera, places, _ = moving
    flat = torch.cat([moved_across(home, displacement), torch.zeros_like(displacement[..., :1])], dim=-1)
    assert torch.allclose(project(home[:, None] + flat, camera), places, atol=1e-5)


def test_tracks_are_nearer_to_the_truth_than_the_answer_that_they_come_from(moving):
    home, displacement, *_ = moving
    tracks, errors = told(moving, torch.zeros_like(displacement))
    truth = moved_across(home, displacement)
    assert torch.allclose(errors.moved, truth, atol=1e-5)
    still = across(torch.zeros_like(truth), truth)
    assert 0.4 * still < across(tracks[..., :2], truth) < 0.95 * still
    exact, _ = told(moving, displacement)
    assert across(exact[..., :2], truth) < 0.3 * still
    assert (tracks[..., 2] == 0).all(), "a fit knows nothing of depth"
    assert (tracks[:, 0, :, :3] == 0).all()


def test_hidden_nodes_keep_more_of_the_answers_error(moving):
    _, displacement, *_, seen = moving
    _, errors = told(moving, torch.zeros_like(displacement))
    assert errors.kept[~seen].mean() > errors.kept[seen].mean() + 0.15


def test_a_fits_own_errors_change_slowly(moving):
    exact, errors = told(moving, moving[1])
    own = (exact[..., :2] - errors.moved)[:, 1:]
    assert (own[:, 1:] * own[:, :-1]).sum() > 0.5 * own.square().sum() * (FRAMES - 2) / (FRAMES - 1)


def test_clips_without_tracks_are_told_nothing(moving):
    answer = torch.randn(CLIPS, FRAMES, NODES, 3)
    answer[:, 0] = 0
    tracks, _ = told(moving, answer, share=0.5)
    given = tracks[..., 4].flatten(1)
    assert ((given == 0) | (given == 1)).all() and 5 < given.amax(dim=1).sum() < CLIPS - 5
    assert (tracks[given.amax(dim=1) == 0] == 0).all()


def test_the_synthesiser_tells_tracks_of_its_own_nodes(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two"])
    settings = SynthesisSettings(frames=4, image_size=32, points=64, nodes=12, tracks_share=1.0, view_error_share=0.0)
    batch = Synthesiser(RigBank(read_rigs(rigs), CPU), settings, None, 0).batch(6)
    inputs, errors = batch.inputs, batch.track_errors
    home = inputs.nodes[..., :3] + inputs.translation[:, None]
    flat = torch.cat([errors.moved, torch.zeros_like(errors.moved[..., :1])], dim=-1)
    assert torch.allclose(project(home[:, None] + flat, inputs.camera), batch.node_places, atol=1e-3)
    untold = without_tracks(batch)
    assert untold.inputs.tracks is None


def test_a_model_that_learns_to_take_tracks_starts_as_the_one_that_took_none(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two", min(HELD_OUT)])
    common = ["--rigs", str(rigs), "--seconds", "60", "--batch", "2", "--frames", "4", "--image-size", "32"]
    common += ["--nodes", "12", "--points", "64", "--most-steps", "4", "--validation-clips", "1", "--device", "cpu"]
    first = parse_options([*common, "--tracks-share", "0", "--out", str(tmp_path / "first")])
    compact.train(first, SMALL, join_processes("cpu"), compact.RunLog(first.out))
    weights = first.out / compact.WEIGHTS_NAME
    options = [*common, "--init", str(weights), "--tracks-share", "0.5", "--no-prefetch"]
    second = parse_options([*options, "--out", str(tmp_path / "second")])
    log = compact.RunLog(second.out)
    compact.train(second, NodeModelConfig(), join_processes("cpu"), log)
    log.close()
    kinds = [json.loads(line)["kind"] for line in (second.out / "log.jsonl").read_text().splitlines()]
    assert kinds == ["start", "checked", "warm", "validation", "validation without tracks"]
    assert load_weights(second.out / compact.WEIGHTS_NAME).config == replace(SMALL, takes_tracks=True)

    before = load_weights(weights)
    begun = starting_model(second, NodeModelConfig())
    untaught = {name: value for name, value in begun.named_parameters() if not name.startswith("track_in")}
    assert all(torch.equal(value, untaught[name]) for name, value in before.named_parameters())
    assert (begun.track_in.weight == 0).all() and isinstance(begun, NodeModel)
