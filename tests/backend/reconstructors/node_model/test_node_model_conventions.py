"""A scene gives the compact model the same inputs as training gave it of the same clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")
pytest.importorskip("onnx", reason="exporting needs the package onnx, which is not installed here")

from small_node_model import SMALL, small_node_model, write_small_node_model  # noqa: E402

from motion324.core.progress import silent  # noqa: E402
from motion324.core.reference_mesh import Material, ReferenceMesh  # noqa: E402
from motion324.core.view import View  # noqa: E402
from motion324.mesh.surface import SurfaceSamples  # noqa: E402
from motion324.reconstructors.interface import Scene  # noqa: E402
from motion324.reconstructors.node_model import reconstructor as reconstructing  # noqa: E402
from motion324.reconstructors.node_model.geometry import project, sample_at  # noqa: E402
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs  # noqa: E402
from motion324.reconstructors.node_model.looking import draw_positions  # noqa: E402
from motion324.reconstructors.node_model.reconstructor import LONGEST_GAP, NodeModelReconstructor, known_times  # noqa: E402
from motion324.reconstructors.node_model.scene_inputs import Look, LooksInputs, Square, square_around, square_frames  # noqa: E402
from motion324.training.node_model import batches as synthesis  # noqa: E402
from motion324.training.node_model.batches import Synthesiser, TrainingBatch  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings  # noqa: E402
from motion324.training.synthesis.drawing import behind, draw  # noqa: E402
from motion324.training.synthesis.rig_bank import RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CLIPS = 3
WITHOUT_ERRORS = SynthesisSettings(
    frames=SMALL.frames,
    image_size=SMALL.image_size,
    points=128,
    nodes=SMALL.nodes,
    gap_share=0.0,
    texture_share=0.0,
    pattern_share=0.0,
    lamp_share=0.0,
    cast_shadow_share=0.0,
    floor_share=0.0,
    motion_blur_share=0.0,
    small_share=0.0,
    no_colour_share=0.0,
    view_error_share=0.0,
    mask_error_share=0.0,
    degraded_share=0.0,
    drawn=True,
)
WHOLE = Square(0, 0, SMALL.image_size)


@dataclass(frozen=True)
class Filmed:
    """A batch of training, and the scenes of the same clips."""

    batch: TrainingBatch
    scenes: list[Scene]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Filmed:
    folder = write_rigs(tmp_path_factory.mktemp("conventions") / "rigs", ["a__one", "b__two", "c__three"])
    synthesiser = Synthesiser(RigBank(read_rigs(folder), torch.device("cpu")), WITHOUT_ERRORS, None, 4)
    seen = {}
    cut_out, as_batch = synthesis.cut_out_on_black, synthesis._as_batch

    def cut(frames, masks):
        seen.update(frames=frames, masks=masks)
        return cut_out(frames, masks)

    def packed(clips, *rest):
        colours = clips.appearance.vertex_colours
        seen.update(vertices=clips.vertices, models=clips.models, cameras=clips.cameras, colours=colours)
        return as_batch(clips, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesis, "cut_out_on_black", cut)
        patch.setattr(synthesis, "_as_batch", packed)
        batch = synthesiser.batch(CLIPS, [0, 1, 2])
    return Filmed(batch, [scene_of(seen, batch, clip) for clip in range(CLIPS)])


def scene_of(seen, batch, clip) -> Scene:
    """What the pipeline would know of a clip, were it a video of the square frames; samples are the training's own."""
    models, cameras = seen["models"], seen["cameras"]
    mine = models.vertex_clip == clip
    faces = models.faces[models.face_clip == clip] - int(mine.nonzero()[0])
    mesh = ReferenceMesh(
        positions=seen["vertices"][mine, 0].numpy(),
        faces=faces.numpy().astype(np.int32),
        face_material=np.zeros(len(faces), np.int32),
        materials=(Material(base_colour=(1.0, 1.0, 1.0, 1.0)),),
        vertex_colour=seen["colours"][mine].numpy(),
    )
    rotation = cameras.rotation[clip].numpy()
    points = batch.inputs.points[clip].numpy()
    surface = SurfaceSamples(
        points=points[:, :3] @ rotation,
        normals=points[:, 3:6] @ rotation,
        colours=points[:, 6:],
        faces=np.zeros(len(points), np.int32),
        barycentric=np.zeros((len(points), 3), np.float32),
    )
    focal, x, y = cameras.intrinsics[clip].tolist()
    frames = (seen["frames"][clip].permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    view = View(rotation, cameras.translation[clip].numpy(), focal, (x, y))
    return Scene(mesh, surface, frames, seen["masks"][clip, :, 0].numpy(), view)


def test_geometry_colours_and_camera_are_those_of_training(filmed):
    for clip, scene in enumerate(filmed.scenes):
        inputs, trained = LooksInputs(scene, WHOLE, SMALL).of(Look()), filmed.batch.inputs
        assert np.allclose(inputs.camera, trained.camera[clip], atol=1e-5)
        assert np.allclose(inputs.translation, trained.translation[clip], atol=1e-5)
        assert np.allclose(inputs.nodes[:, :9], trained.nodes[clip, :, :9], atol=1e-4)
        # Training turns two in a hundred around, and judges depth at pixels of its own renderer.
        assert (inputs.nodes[:, 9] == trained.nodes[clip, :, 9].numpy()).mean() > 0.8
        assert 0 < inputs.nodes[:, 9].mean() < 1


def test_frames_are_those_of_training(filmed):
    for clip, scene in enumerate(filmed.scenes):
        frames = square_frames(scene.frames, scene.masks, WHOLE, SMALL.image_size)
        assert np.abs(frames - filmed.batch.inputs.frames[clip].numpy()).max() < 1 / 254


def test_a_square_around_the_object_shows_the_nodes_what_the_whole_frame_shows_them(filmed):
    for clip, scene in enumerate(filmed.scenes):
        bigger = Scene(scene.mesh, scene.surface, *enlarged(scene.frames, scene.masks), beyond(scene.view))
        square = square_around(bigger.masks)
        assert square != Square(0, 0, bigger.frames.shape[1])
        inputs = LooksInputs(bigger, square, SMALL).of(Look())
        frames = square_frames(bigger.frames, bigger.masks, square, SMALL.image_size)
        for t in range(SMALL.frames):
            seen = filmed.batch.node_seen[clip, t]
            trained = sample_at(filmed.batch.inputs.frames[clip, t][None], filmed.batch.node_places[clip, t][None])[0][
                seen
            ]
            moved = true_nodes(filmed, clip, t, inputs)
            places = project(moved + torch.from_numpy(inputs.translation), torch.from_numpy(inputs.camera)[None])
            found = sample_at(torch.from_numpy(frames[t])[None], places)[0][seen]
            assert float((found - trained).abs().mean()) < 0.08
            mirrored = sample_at(torch.from_numpy(frames[t])[None], -places)[0][seen]
            assert float((mirrored - trained).abs().mean()) > float((found - trained).abs().mean())


def test_a_mirrored_look_shows_the_same_scene_with_left_and_right_swapped(filmed):
    for scene in filmed.scenes:
        looks = Look(), Look(mirrored=True)
        plain, mirrored = (LooksInputs(scene, WHOLE, SMALL).of(look) for look in looks)
        first, second = (
            square_frames(scene.frames, scene.masks, WHOLE, SMALL.image_size, look.mirrored) for look in looks
        )
        places, swapped = (
            project(torch.from_numpy(i.nodes[None, :, :3] + i.translation), torch.from_numpy(i.camera)[None])
            for i in (plain, mirrored)
        )
        assert np.allclose(swapped, places * torch.tensor([-1.0, 1.0]), atol=1e-5)
        seen, seen_swapped = (
            sample_at(torch.from_numpy(f[:1]), where) for f, where in ((first, places), (second, swapped))
        )
        assert np.allclose(seen, seen_swapped, atol=1e-5)
        assert np.allclose(mirrored.to_normalised(mirrored.points[:, :3]), scene.mesh.positions, atol=1e-5)


def test_another_turn_chooses_other_nodes(filmed):
    first, second = (LooksInputs(filmed.scenes[0], WHOLE, SMALL).of(Look(turn=turn)).nodes for turn in (0, 1))
    shared = (np.linalg.norm(first[:, None, :3] - second[None, :, :3], axis=2).min(axis=1) < 1e-6).mean()
    assert shared < 0.9


def true_nodes(filmed: Filmed, clip: int, t: int, inputs) -> torch.Tensor:
    """(1, K, 3): where the nodes truly are in frame t, in the inputs' coordinates."""
    start = filmed.batch.targets[clip, 0]
    which = torch.cdist(torch.from_numpy(inputs.nodes[:, :3]), start).argmin(dim=1)
    return filmed.batch.targets[clip, t, which][None]


def enlarged(frames: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same frames as parts of wide ones: 6 pixels more above, 40 to the left, 10 to the right."""
    return (
        np.pad(frames, ((0, 0), (6, 0), (40, 10), (0, 0)), mode="edge"),
        np.pad(masks, ((0, 0), (6, 0), (40, 10))),
    )


def beyond(view: View) -> View:
    side = SMALL.image_size
    height, width = side + 6, side + 50
    centre = ((view.centre[0] * side + 40) / width, (view.centre[1] * side + 6) / height)
    return View(view.rotation, view.translation, view.focal * side / height, centre)


def test_the_reconstructor_gives_what_the_network_gives_in_training(filmed, tmp_path, monkeypatch):
    weights = write_small_node_model(tmp_path / "small.onnx")
    monkeypatch.setattr(reconstructing, "square_around", lambda masks: WHOLE)
    monkeypatch.setattr(reconstructing, "LOOKS", (Look(),))
    model = small_node_model()
    for clip, scene in enumerate(filmed.scenes):
        batches = list(NodeModelReconstructor(str(weights), "cpu", hurries=True).reconstruct(scene, silent))
        found = np.concatenate([batch.positions for batch in batches])
        inputs, trained = LooksInputs(scene, WHOLE, SMALL).of(Look()), filmed.batch.inputs
        given = NodeInputs(
            trained.frames[clip : clip + 1],
            trained.times[clip : clip + 1],
            trained.camera[clip : clip + 1],
            trained.translation[clip : clip + 1],
            torch.from_numpy(inputs.nodes)[None],
            torch.from_numpy(inputs.points)[None],
        )
        with torch.no_grad():
            expected = model(given).positions[-1][0].numpy() @ scene.view.rotation
        moved = np.abs(expected - scene.mesh.positions).max()
        assert moved > 0.01, "a model that moves nothing proves nothing"
        assert np.abs(found - expected).max() < 0.1 * moved  # frames are rounded to bytes on the way


def test_times_are_those_of_training_also_far_from_the_reference_frame():
    assert known_times(np.array([0, 1, 2, 3])).tolist() == [0, 1, 2, 3]
    assert known_times(np.array([0, 20, 21, 22])).tolist() == [0, 20, 21, 22]
    assert known_times(np.array([0, 900, 901])).tolist() == [0, LONGEST_GAP, LONGEST_GAP + 1]


def test_drawings_are_those_of_training(filmed):
    """The mesh in its true poses, drawn by the product's rasteriser and by that of the training."""
    batch = filmed.batch
    frames, nodes = batch.targets.shape[1], batch.inputs.nodes.shape[1]
    vertices = batch.drawable.points[:, None, :3].expand(-1, frames, -1)
    pictures, depth = draw(vertices, batch.drawable, batch.inputs, SMALL.image_size, 1)
    there = (batch.inputs.nodes[..., :3] + batch.inputs.translation[:, None])[:, None].expand(-1, frames, -1, -1)
    expected = behind(there, batch.inputs.camera, depth)
    for clip, scene in enumerate(filmed.scenes):
        positions = np.repeat(scene.mesh.positions[None], frames, axis=0)
        own = (batch.inputs.nodes[clip, :, :3].numpy() @ np.asarray(scene.view.rotation)).astype(np.float32)
        own = np.repeat(own[None], frames, axis=0)
        found = draw_positions(scene.mesh, scene.view, positions, own, SMALL.image_size, False, lambda: None)
        assert found.behind.shape == (frames, nodes)
        alike = np.abs(found.pictures - pictures[clip].numpy()).max(axis=1) < 0.02
        assert alike.mean() > 0.99  # pixel centres on an edge may go either way
        assert found.pictures[:, 3].mean() > 0.02
        assert (np.abs(found.behind - expected[clip].numpy()) < 0.02).mean() > 0.9
