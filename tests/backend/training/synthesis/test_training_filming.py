"""What synthetic clips are filmed with: cast shadows, coloured light, patterns, motion blur, few pixels."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.training.node_model.batches import Synthesiser  # noqa: E402
from motion324.training.shared import fused as fusing  # noqa: E402
from motion324.training.shared.settings import SynthesisSettings, validation_settings  # noqa: E402
from motion324.training.synthesis.appearance import CHECKS, PATCHES, sample_appearance  # noqa: E402
from motion324.training.synthesis.exchanged_colours import with_exchanged_colours  # noqa: E402
from motion324.training.synthesis.filming import LEAST_MOTION, filmed_clips, hardly_moving  # noqa: E402
from motion324.training.synthesis.floor_shadows import floor_shadows  # noqa: E402
from motion324.training.synthesis.grading import graded  # noqa: E402
from motion324.training.synthesis.lighting import cast_shadows, sample_lights  # noqa: E402
from motion324.training.synthesis.pictures import Cameras, as_filmed, estimated_masks, motion_blurred  # noqa: E402
from motion324.training.synthesis.rig_bank import Draws, ModelBatch, RigBank  # noqa: E402
from motion324.training.synthesis.rigs import read_rigs  # noqa: E402

CPU = torch.device("cpu")
PLAIN = replace(
    validation_settings(SynthesisSettings(frames=4, image_size=48, points=64, nodes=8)),
    degraded_share=0.0, compressed_share=0.0, texture_share=0.0, shadow_share=0.0, mask_error_share=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = write_rigs(tmp_path_factory.mktemp("training") / "rigs", ["a__one", "b__two", "c__three"])
    return RigBank(read_rigs(folder), CPU)


def _filmed(bank, clips=6, **shares):
    chosen = [number % 3 for number in range(clips)]
    return filmed_clips(bank, chosen, replace(PLAIN, **shares), Draws(1, CPU), np.random.default_rng(1))


def _plates(*heights):
    """One clip of square plates in y = height, of half the size of the one before, over two frames."""
    vertices, faces = [], []
    for number, height in enumerate(heights):
        half, first = 0.4 / 2**number, 4 * number
        vertices += [[x, height, z] for x, z in ((-half, -half), (half, -half), (half, half), (-half, half))]
        faces += [[first, first + 1, first + 2], [first, first + 2, first + 3]]
    count = len(vertices)
    places = torch.tensor(vertices)[:, None].repeat(1, 2, 1)
    none = torch.zeros(0)
    models = ModelBatch(
        none, none, none, none, none, none, torch.tensor(faces), torch.zeros(count).long(),
        torch.zeros(len(faces)).long(), torch.arange(count)[None], (len(faces),), none, none, none,
    )  # fmt: skip
    return places, models


def test_what_lies_under_something_is_in_its_shadow():
    vertices, models = _plates(0.0, 0.3)
    settings = replace(PLAIN, cast_shadow_share=1.0)
    lights = sample_lights(1, settings, Draws(0, CPU))
    lights = replace(lights, direction=torch.tensor([[0.0, 1.0, 0.0]]))
    shadows = cast_shadows(vertices, models, lights, settings, Draws(0, CPU))
    places = torch.tensor([[0.0, 0.0, 0.0], [0.15, 0.0, -0.15], [0.3, 0.0, 0.3], [0.0, 0.3, 0.0]])
    lit = shadows.missed(places, torch.zeros(4).long(), torch.tensor([0, 1, 0, 1]))
    assert lit.tolist() == [0, 0, 1, 1]  # under the small plate, beside it, and on top of it
    slanted = replace(lights, direction=torch.nn.functional.normalize(torch.tensor([[1.0, 1.0, 0.0]]), dim=-1))
    shadows = cast_shadows(vertices, models, slanted, settings, Draws(0, CPU))
    places = torch.tensor([[-0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert shadows.missed(places, torch.zeros(2).long(), torch.zeros(2).long()).tolist() == [0, 1]


def test_clips_without_cast_shadows_have_none_in_their_map():
    vertices, models = _plates(0.0, 0.3)
    lights = sample_lights(1, PLAIN, Draws(0, CPU))
    assert cast_shadows(vertices, models, lights, PLAIN, Draws(0, CPU)) is None
    rarely = cast_shadows(vertices, models, lights, replace(PLAIN, cast_shadow_share=1e-9), Draws(0, CPU))
    assert not rarely.nearness.any()


def test_cast_shadows_only_darken(bank):
    plain, shadowed = _filmed(bank), _filmed(bank, cast_shadow_share=1.0)
    shown = (plain.alpha == 1).expand_as(plain.frames)
    darker = (plain.frames - shadowed.frames)[shown]
    assert darker.min() > -1e-5 and (darker > 0.02).float().mean() > 0.01
    assert torch.equal(plain.alpha, shadowed.alpha) and torch.equal(plain.vertices, shadowed.vertices)


def _from_above():
    """A camera over the origin that looks straight down, one side of the picture to one unit at the floor y = 0."""
    down = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    return Cameras(down[None], torch.tensor([[0.0, 0.0, 4.0]]), torch.tensor([[4.0, 0.5, 0.5]]))


def test_a_floor_is_dark_where_something_keeps_the_light_from_it():
    """A plate that is above the floor in the first frame and lies on it in the second."""
    vertices, models = _plates(0.0)
    vertices = vertices + torch.tensor([0.3, 0.0])[None, :, None] * torch.tensor([0.0, 1.0, 0.0])
    settings = replace(PLAIN, floor_share=1.0, frames=2, image_size=96)
    ways = []
    for seed in range(6):
        shade = floor_shadows(vertices, models, _from_above(), settings, Draws(seed, CPU))[0, :, 0]
        assert shade.shape == (2, 96, 96) and 0.2 <= shade.max() <= 0.8
        middles = [(one > one.max() / 2).nonzero().float().mean(dim=0) for one in shade]
        assert (middles[1] - 47.5).abs().max() < 1.5  # under it
        ways.append((middles[0] - middles[1]).norm() / 96)
    assert 0.02 < max(ways) < 0.3 / 0.7  # the light comes from 35 degrees at least
    below = replace(_from_above(), translation=torch.tensor([[0.0, 0.0, -4.0]]))
    assert not floor_shadows(vertices, models, below, settings, Draws(0, CPU)).any()
    assert floor_shadows(vertices, models, _from_above(), PLAIN, Draws(0, CPU)) is None


def test_shadows_darken_the_background_and_some_masks_take_a_part_of_them():
    alpha = torch.zeros(40, 2, 1, 48, 48)
    alpha[..., 10:30, 20:30] = 1
    shade = torch.zeros_like(alpha)
    shade[..., 26:34, 20:44] = 0.5
    colours = 0.3 * alpha.expand(-1, -1, 3, -1, -1)
    plain, dark = (as_filmed(colours, alpha, one, PLAIN, Draws(0, CPU)) for one in (None, shade))
    assert torch.allclose(dark[..., 31:34, 30:44], plain[..., 31:34, 30:44] / 2, atol=1e-3)
    assert torch.equal(dark[..., 10:30, 20:30], plain[..., 10:30, 20:30])
    masks = estimated_masks(alpha, shade, replace(PLAIN, mask_error_share=1.0), Draws(0, CPU))
    reached = (masks[:, 0, 0, 31, 20:30] == 1).all(dim=1)
    assert 0.2 < reached.float().mean() < 0.8
    assert not (masks[..., :8, :] > 0).any() and not (masks[..., 40:, :] > 0).any()
    assert torch.equal(estimated_masks(alpha, shade, PLAIN, Draws(0, CPU)), alpha)


def test_light_may_have_a_colour():
    white, coloured = (sample_lights(64, replace(PLAIN, lamp_share=share), Draws(0, CPU)) for share in (0.0, 1.0))
    assert (white.lamp == 1).all() and (white.around == 1).all()
    assert (coloured.lamp.amax(dim=1) / coloured.lamp.amin(dim=1)).median() > 1.1
    assert coloured.lamp.mean(dim=1).max() > 1.5 and coloured.around.mean(dim=1).min() < 0.5


def test_light_may_come_from_one_side_and_leaves_what_faces_the_other_dark():
    settings = replace(PLAIN, around_share=1.0)
    lights = sample_lights(64, settings, Draws(0, CPU))
    towards = torch.nn.functional.normalize(lights.sides.mean(dim=2), dim=1)
    white = torch.full((64, 3), 0.5)
    nothing, clip = torch.zeros(64), torch.arange(64)
    of_the_place = [lights.lit(white, side, side, white, nothing, clip).mean(dim=1) for side in (towards, -towards)]
    assert (of_the_place[0] > of_the_place[1]).float().mean() > 0.95
    plain = sample_lights(64, PLAIN, Draws(0, CPU))
    assert not plain.sides.any() and not plain.grazing.any() and lights.grazing.any()


def test_graded_bodies_keep_their_borders_and_have_other_colours():
    colours = 0.2 + 0.6 * torch.rand(40, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    alpha = (torch.arange(8) < 4).float().expand(40, 3, 1, 8, 8)
    backgrounds = torch.tensor([0.9, 0.2, 0.2]).view(1, 1, 3, 1, 1).expand(40, 1, 3, 8, 8)
    found = graded(colours * alpha, alpha, backgrounds, 0.5, Draws(3, CPU))
    assert not found[..., 4:].any() and found.min() >= 0 and found.max() <= 1
    changed = (found - colours * alpha).abs().amax(dim=(1, 2, 3, 4)) > 1e-6
    assert 10 <= changed.sum() <= 30
    drifts = (found / colours)[..., :4].mean(dim=(2, 3, 4)).std(dim=1)
    assert (drifts[~changed] < 1e-6).all() and (drifts[changed] > 0.01).any()
    reddened = (found[:, :, 0].mean(dim=(1, 2, 3)) > found[:, :, 2].mean(dim=(1, 2, 3)))[changed]
    assert reddened.float().mean() > 0.6


def test_bodies_may_have_the_colours_of_another_one_of_the_batch(bank):
    models = bank.models([0, 1, 2, 0])
    own = torch.tensor([0.1, 0.3, 0.5, 0.7])[models.vertex_clip, None].expand(-1, 3).contiguous()
    models = replace(models, colours=own)
    found = with_exchanged_colours(models, 1.0, Draws(0, CPU), np.random.default_rng(0))
    for clip in range(4):
        colours = found.colours[models.vertex_clip == clip].unique()
        assert len(colours) == 1 and colours[0] != own[models.vertex_clip == clip][0, 0]
    assert with_exchanged_colours(models, 0.0, Draws(0, CPU), np.random.default_rng(0)) is models


def test_places_have_the_colours_of_what_lies_there_in_the_other_body(bank):
    models = bank.models([0, 1])
    models = replace(models, colours=models.rest.clone())
    found = with_exchanged_colours(models, 1.0, Draws(0, CPU), np.random.default_rng(4))
    first = models.vertex_clip == 0
    towards = np.corrcoef(np.c_[models.rest[first], found.colours[first]].T)[:3, 3:]
    assert np.nanmax(np.abs(towards), axis=1).min() > 0.8


def test_some_clips_hardly_move_and_keep_the_way_they_move(bank):
    vertices = _filmed(bank).vertices
    models = bank.models([0, 1, 2, 0, 1, 2])
    chosen = torch.tensor([True, False] * 3)
    found = hardly_moving(vertices, models, chosen, Draws(0, CPU))
    clip = models.vertex_clip
    assert torch.allclose(found[~chosen[clip]], vertices[~chosen[clip]], atol=1e-6)
    assert torch.equal(found[:, 0], vertices[:, 0])
    sizes = [(found - found[:, :1])[clip == one, 1:].norm(dim=-1).mean().item() for one in (0, 2, 4)]
    assert all(size == 0 or LEAST_MOTION[0] * 0.99 <= size <= LEAST_MOTION[1] * 1.01 for size in sizes) and any(sizes)
    some = clip == sizes.index(max(sizes)) * 2
    before, after = ((of - of[:, :1])[some].flatten() for of in (vertices, found))
    assert torch.cosine_similarity(before, after, dim=0) > 0.999


def test_patterns_have_two_colours_or_many_shades():
    models = replace(_plates(0.0)[1], colours=torch.zeros(4, 3), parts=torch.zeros(4).long())
    models = replace(models, vertex_clip=torch.zeros(4).long())
    appearance = sample_appearance(models, 40, replace(PLAIN, pattern_share=1.0), Draws(0, CPU))
    assert set(appearance.pattern.tolist()) == {1, 2, 3}
    rest, grey = torch.rand(4000, 3) - 0.5, torch.full((4000, 3), 0.5)
    for clip in range(8):
        colours = appearance.coloured(grey, rest, torch.full((4000,), clip))
        kinds = len(torch.unique((colours * 1e4).round(), dim=0))
        changed = (colours != grey).any(dim=1).float().mean()
        if appearance.pattern[clip] == PATCHES:
            assert kinds > 8
        else:
            assert kinds == 2 and 0.01 < changed < 0.65
        if appearance.pattern[clip] == CHECKS:
            assert changed > 0.35


def test_what_moves_is_blurred_along_its_way_and_what_stands_is_not():
    picture = torch.zeros(1, 1, 4, 64, 64)
    picture[..., 30:34, 10:14] = 1
    picture[..., 30:34, 44:48] = 1
    velocity = torch.zeros(1, 1, 2, 64, 64)
    velocity[:, :, 0, 30:34, 44:48] = 0.4
    settings = replace(PLAIN, motion_blur_share=1.0)
    blurred = motion_blurred(picture, velocity, settings, Draws(3, CPU))[0, 0, 3]
    assert torch.allclose(blurred[:, :26], picture[0, 0, 3, :, :26], atol=1e-4)
    assert blurred[32, 42] > 0.05 and blurred[32, 49] > 0.05 and blurred[28, 46] < 0.01
    assert blurred.sum().item() == pytest.approx(picture[0, 0, 3].sum().item(), rel=0.05)
    assert torch.equal(
        motion_blurred(picture, velocity, replace(settings, motion_blur_share=0.0), Draws(3, CPU)), picture
    )


def test_clips_are_blurred_by_their_own_motion(bank):
    sharp, blurred = (_filmed(bank, motion_blur_share=share, speed=(6.0, 6.0)) for share in (1e-9, 1.0))
    assert torch.equal(sharp.vertices, blurred.vertices)
    soft = [((clips.alpha > 0.02) & (clips.alpha < 0.98)).float().mean() for clips in (sharp, blurred)]
    assert soft[1] > 1.2 * soft[0]


def test_objects_of_few_pixels_keep_their_colours_and_lose_their_details():
    colours = torch.rand(8, 2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    alpha = torch.ones(8, 2, 1, 48, 48)
    fine, few = (
        as_filmed(colours, alpha, None, replace(PLAIN, small_share=share), Draws(0, CPU)) for share in (0.0, 1.0)
    )
    assert torch.allclose(fine.mean(dim=(1, 2, 3, 4)), few.mean(dim=(1, 2, 3, 4)), atol=0.02)
    assert (few.std(dim=(3, 4)) < 0.7 * fine.std(dim=(3, 4))).all()


def test_clips_to_measure_on_are_filmed_as_before():
    """So that what was measured earlier can be compared."""
    measured = validation_settings(SynthesisSettings())
    added = ("pattern_share", "lamp_share", "cast_shadow_share", "floor_share", "motion_blur_share", "small_share")
    assert all(getattr(SynthesisSettings(), name) > 0 and getattr(measured, name) == 0 for name in added)


@pytest.mark.long
def test_compiled_functions_give_what_they_give_as_written(bank, monkeypatch):
    settings = SynthesisSettings(frames=4, image_size=48, points=64, nodes=8, tracks_share=0.6)
    expected = [Synthesiser(bank, settings, None, 3).batch(size) for size in (4, 6)]
    compiling, compiled = torch.compile, []

    def traced(work, dynamic):
        compiled.append(work.__name__)
        return compiling(work, dynamic=dynamic, backend="aot_eager", fullgraph=True)

    monkeypatch.setattr(torch, "compile", traced)
    monkeypatch.setattr(fusing, "_is_on_gpu", lambda value: True)
    found = [Synthesiser(bank, settings, None, 3).batch(size) for size in (4, 6)]
    assert {"_shaded", "_rows", "_pixels", "_degraded", "_wrong_masks"} <= set(compiled)
    for one, other in zip(expected, found, strict=True):
        for a, b in zip(_tensors(one), _tensors(other), strict=True):
            assert torch.allclose(a.double(), b.double(), atol=1e-5)


def _tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if not is_dataclass(value):
        return []
    return [tensor for field in fields(value) for tensor in _tensors(getattr(value, field.name))]
