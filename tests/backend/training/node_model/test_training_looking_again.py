"""The compact model looks again at its answer, drawn: what is drawn, what it sees of it, and what it learns from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from small_node_model import SMALL, small_node_model  # noqa: E402

from motion324.reconstructors.node_model.config import FARTHEST_BEHIND, HIDDEN_BEHIND  # noqa: E402
from motion324.reconstructors.node_model.geometry import project  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import LookOutputs, NodeMotions  # noqa: E402
from motion324.reconstructors.node_model.model import NodeModel  # noqa: E402
from motion324.training.clips.split import HELD_OUT, HELD_OUT_LATER  # noqa: E402
from motion324.training.node_model import run as compact  # noqa: E402
from motion324.training.node_model.batches import Synthesiser  # noqa: E402
from motion324.training.node_model.losses import doubt_loss, losses, near_loss  # noqa: E402
from motion324.training.node_model.model import answers  # noqa: E402
from motion324.training.node_model.optimiser import FlatGradients  # noqa: E402
from motion324.training.node_model.options import parse_options  # noqa: E402
from motion324.training.node_model.weights_files import load_weights, save_weights  # noqa: E402
from motion324.training.shared.processes import Processes, join_processes  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings  # noqa: E402
from motion324.training.synthesis.drawing import draw, draw_motions, moved_vertices  # noqa: E402
from motion324.training.synthesis.rig_bank import RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")
LOOKING = replace(SMALL, first_rounds=1)
EXACT = SynthesisSettings(
    frames=4,
    image_size=32,
    points=64,
    nodes=12,
    drawn=True,
    view_error_share=0.0,
    mask_error_share=0.0,
    degraded_share=0.0,
    compressed_share=0.0,
    no_colour_share=0.0,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_rigs(tmp_path_factory.mktemp("training") / "rigs", ["a__one", "b__two", "c__three"])
    return RigBank(read_rigs(folder), CPU)


@pytest.fixture(scope="module")
def batch(bank):
    return Synthesiser(bank, EXACT, None, 0).batch(4)


def looking(motion: float = 0.02) -> NodeModel:
    """The small model with its weights, and a look at drawings that adds nothing yet."""
    torch.manual_seed(1)
    model = NodeModel(LOOKING)
    model.load_state_dict(small_node_model(motion).state_dict(), strict=False)
    return model.eval()


def still(batch) -> NodeMotions:
    b, t, k = batch.node_seen.shape
    return NodeMotions(torch.zeros(b, t, k, 9), torch.zeros(b, k, SMALL.skin_width))


def test_a_look_that_has_learnt_nothing_leaves_the_answer_as_it_was(batch):
    with torch.no_grad():
        expected = small_node_model()(batch.inputs).positions[-1]
        alone, shown = (answers(looking(), batch, looks).positions for looks in (0, 1))
    assert (expected[:, 1:] - expected[:, :1]).abs().max() > 0.01, "a model that moves nothing proves nothing"
    assert torch.equal(alone[-1], expected) and torch.equal(shown[-1], expected)
    assert len(shown) == SMALL.rounds
    assert len(answers(looking(), batch, 3).positions) == 1 + 3 * (SMALL.rounds - 1)


def test_a_mesh_that_stands_still_is_drawn_where_the_first_frame_shows_it(batch):
    drawings = draw_motions(small_node_model(), batch.inputs, batch.drawable, still(batch))
    masks, seen = drawings.pictures[:, 0, 3] > 0.5, batch.inputs.frames[:, 0, 3] > 0.5
    assert (masks & seen).sum() > 0.85 * (masks | seen).sum()
    assert torch.equal(drawings.pictures[:, 0], drawings.pictures[:, 3])
    assert (
        drawings.pictures.amax() <= 1 and (drawings.pictures[:, :, :3] * (1 - drawings.pictures[:, :, 3:])).max() == 0
    )
    shown = drawings.behind[:, 0] < HIDDEN_BEHIND
    # Of four clips' twelve nodes some lie at a border, where 32 pixels tell either; by chance it would be half of them.
    assert (shown == batch.node_seen[:, 0]).float().mean() > 0.75
    assert drawings.behind.min() >= 0 and drawings.behind.max() <= FARTHEST_BEHIND


def test_what_moves_to_the_right_is_drawn_to_the_right(batch):
    found = still(batch)
    found.state[..., 0] = 0.1
    t = batch.node_seen.shape[1]
    vertices = moved_vertices(small_node_model(), batch.inputs.nodes[..., :3], batch.drawable, found)
    assert torch.allclose(vertices[:, 2], batch.drawable.points[:, :3] + torch.tensor([0.1, 0, 0]), atol=1e-5)
    before, after = (draw(v, batch.drawable, batch.inputs, 32, 1)[0][:, :, 3] for v in (_home(batch, t), vertices))
    columns = torch.arange(32) + 0.5
    centre = [(m.sum(dim=2) * columns).sum(-1) / m.sum(dim=(2, 3)) for m in (before, after)]
    inside = after[..., -1].amax(dim=-1) == 0
    assert (centre[1] - centre[0])[inside].min() > 0.5


def _home(batch, frames):
    return batch.drawable.points[:, None, :3].expand(-1, frames, -1)


def test_the_compared_places_are_those_where_the_nodes_are_drawn(batch):
    model, told = looking(0.0), []
    original = model.drawn_look.compare

    def compare(drawn, frames, places, behind):
        told.append(places)
        return original(drawn, frames, places, behind)

    model.drawn_look.compare = compare
    answers(model, batch, 1)
    expected = project(
        batch.inputs.nodes[:, None, :, :3] + batch.inputs.translation[:, None, None], batch.inputs.camera
    )
    assert torch.allclose(told[0], expected.expand_as(told[0]), atol=1e-5)


def test_looking_again_learns_and_every_weight_of_it_does(batch):
    model = looking(0.0).train()
    before = {name: value.clone() for name, value in model.drawn_look.named_parameters()}
    gradients = FlatGradients(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(30):
        gradients.clear()
        found = losses(answers(model, batch, 2), batch, 0.1)
        found.total.backward()
        gradients.average_and_clip(Processes(0, 1, CPU), 1.0)
        optimiser.step()
        history.append(found)
    assert history[-1].points < 0.8 * history[0].points
    assert history[-1].doubt < history[0].doubt
    for name, value in model.drawn_look.named_parameters():
        assert not torch.equal(value, before[name]), name


def test_doubt_is_best_where_it_is_the_error_that_is_made(batch):
    off = torch.zeros_like(batch.node_targets)
    off[..., 2] = 0.05  # nearly along the view
    home = batch.inputs.nodes[..., :3] + batch.inputs.translation[:, None]
    along = home / home.norm(dim=-1, keepdim=True)
    places = batch.node_targets + 0.05 * along[:, None]

    def surprise(across: float, depth: float) -> float:
        doubt = torch.tensor([across, depth]).log().expand(*batch.node_seen.shape, 2)
        return doubt_loss(LookOutputs(*[torch.zeros(1)] * 3, places, doubt), batch).item()

    best = surprise(0.002, 0.05)
    assert all(best < surprise(0.002, wrong) for wrong in (0.02, 0.12))
    assert best < surprise(0.01, 0.05)


def test_the_reference_may_have_another_pose_and_is_then_drawn(bank):
    settings = replace(EXACT, other_pose_share=1.0, wave_share=0.0, travel_share=0.0, still_share=1.0, shape_share=0.0)
    posed = Synthesiser(bank, settings, None, 2).batch(6)
    same = Synthesiser(bank, replace(settings, other_pose_share=0.0), None, 2).batch(6)
    motion = [(b.targets[:, 1:] - b.targets[:, :1]).norm(dim=-1).mean() for b in (posed, same)]
    assert motion[0] > 0.04 > 0.02 > motion[1]  # the video stands still; the mesh must still be moved to it
    apart = (posed.targets[:, 1:].mean(dim=2) - posed.targets[:, :1].mean(dim=2)).norm(dim=-1)
    assert apart.mean() < 0.15  # it stands where the video shows it
    home = project(posed.inputs.nodes[..., :3] + posed.inputs.translation[:, None], posed.inputs.camera)
    at = torch.nn.functional.grid_sample(posed.inputs.frames[:, 0, 3:], home[:, None], align_corners=False)
    assert at[:, 0, 0][posed.node_seen[:, 0]].mean() > 0.85
    assert torch.equal(posed.targets[:, 0], posed.inputs.points[..., :3])


def test_a_node_is_pulled_to_where_the_frame_looks_like_it():
    """The drawing shows a dot; the frame shows it two cells further right and one further down."""
    model = looking()
    side, places = 16, torch.tensor([[[[-0.0625, 0.0625]]]])  # the centre of cell (7, 8)
    dot = torch.zeros(1, 1, SMALL.match_width, side, side)
    drawn, frame = dot.clone(), dot.clone()
    drawn[..., 8, 7], frame[..., 9, 9] = 4.0, 4.0
    fine, patches = torch.zeros(1, 1, SMALL.channels[2], 8, 8), torch.zeros(1, 16, SMALL.width)
    compared = model.drawn_look.compare((drawn, fine, patches), (frame, fine, patches), places, torch.zeros(1, 1, 1))
    added, pulls = model.drawn_look.seen(compared, places)
    assert not added.any() and not model.drawn_look.pulled(torch.ones(1, 1, 1, SMALL.width), pulls).any()
    assert torch.allclose(pulls[0, 0, 0, 0], torch.tensor([2 * 2 / side, 2 / side, 1.0]), atol=1e-3)
    with torch.no_grad():
        model.drawn_look.pull_gate.bias[0] = 0.5
    pulled = model.drawn_look.pulled(torch.ones(1, 1, 1, SMALL.width), pulls)
    assert torch.allclose(pulled[0, 0, 0], torch.tensor([2 / side, 1 / side]), atol=1e-3)


def test_a_pull_moves_a_node_as_far_across_the_view_as_it_is_seen(batch):
    model, inputs = looking(), batch.inputs
    state = still(batch).state
    seen = torch.tensor([0.05, -0.03]).expand(*batch.node_seen.shape, 2)
    across = 0.1 * model._across(seen, state, inputs)  # a head's unit is a tenth of the longest side
    moved = torch.cat([across, torch.zeros_like(across[..., :1])], dim=-1)
    after = model._places(torch.cat([moved, state[..., 3:]], dim=-1), inputs)
    assert torch.allclose(after - model._places(state, inputs), seen, atol=1e-4)


def test_matches_are_to_be_near_where_the_node_truly_is(batch):
    """Similarities that peak at the truth, not where the node was drawn: least loss; and nodes that are hidden, or
    farther away than is looked, count nothing."""
    b, t, k = batch.node_seen.shape
    side = 8
    drawn = batch.node_places - torch.tensor([0.3, -0.2])
    centres = (torch.arange(side) + 0.5) * (2 / side) - 1

    def loss(peak: torch.Tensor, behind: float = 0.0, places: torch.Tensor = drawn) -> float:
        away = (centres - peak[..., :1]).square()[..., None, :] + (centres - peak[..., 1:]).square()[..., :, None]
        similar = (-20 * away).reshape(b * t * k, 1, side, side)
        look = LookOutputs(similar, places, torch.full((b, t, k), behind), torch.zeros(1), torch.zeros(1))
        return near_loss(look, batch).item()

    right = loss(batch.node_places)
    assert right < loss(drawn) and right < loss(batch.node_places + torch.tensor([0.0, 0.25]))
    assert loss(batch.node_places, behind=0.2) == 0
    assert loss(batch.node_places, places=drawn + 20.0) == 0


@pytest.mark.long
def test_a_run_that_learns_only_to_look_again_goes_on_from_a_model_that_never_did(tmp_path):
    rigs = write_rigs(tmp_path / "rigs", ["a__one", "b__two", min(HELD_OUT), min(HELD_OUT_LATER)])
    before = tmp_path / "before.safetensors"
    save_weights(before, SMALL, dict(small_node_model().named_parameters()))
    common = ["--rigs", str(rigs), "--seconds", "60", "--batch", "2", "--frames", "4", "--image-size", "32"]
    common += ["--nodes", "12", "--points", "64", "--most-steps", "6", "--validation-clips", "1", "--device", "cpu"]
    common += [
        "--tracks-share",
        "0",
        "--first-rounds",
        "1",
        "--looks",
        "1",
        "--other-pose-share",
        "0.5",
        "--only-looks",
    ]
    options = parse_options([*common, "--measure-first", "--init", str(before), "--out", str(tmp_path / "out")])
    log = compact.RunLog(options.out)
    found = compact.train(options, SMALL, join_processes("cpu"), log)
    log.close()
    entries = [json.loads(line) for line in (options.out / "log.jsonl").read_text().splitlines()]
    measured = [entry["kind"] for entry in entries if "ratio" in entry]
    assert measured[: len(measured) // 2] == measured[len(measured) // 2 :]
    assert set(measured) == {
        "validation",
        "validation, 0 looks",
        "validation, 2 looks",
        "validation on later rigs",
        "validation from a drawing",
        "validation from other poses",
    }
    assert found is not None and found.ratio == pytest.approx(entries[-6]["ratio"], abs=1e-4)

    weights = options.out / compact.WEIGHTS_NAME
    after, old = dict(load_weights(weights).named_parameters()), dict(small_node_model().named_parameters())
    learnt = {name for name, value in old.items() if not torch.equal(after[name], value)}
    assert learnt and all(name.startswith("rounds.1.") for name in learnt)
    again = parse_options([*common, "--init", str(weights), "--out", str(tmp_path / "again")])
    compact.train(again, SMALL, join_processes("cpu"), compact.RunLog(again.out))
    assert load_weights(tmp_path / "again" / compact.WEIGHTS_NAME).config.first_rounds == 1
