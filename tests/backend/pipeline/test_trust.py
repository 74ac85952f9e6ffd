"""A result tells where it can be trusted: per frame by silhouettes, per vertex by what was seen and where that lies."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.core.motion.doubt import DOUBTED_ERROR
from motion324.core.progress import silent
from motion324.core.reference_mesh import normalised_mesh
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin
from motion324.pipeline.trust import Compared, trust_after, trust_of, trust_warnings, with_trust
from motion324.view.rasteriser import rasterise

SIZE = (90, 120)


@pytest.fixture
def filmed(box):
    """The mesh, its way to normalised space, a view from the front, and the masks of a still clip of four frames."""
    normalised, normalisation = normalised_mesh(box)
    view = look_at_origin(0, 0, 3, 1.5)
    mask = rasterise(normalised.positions, box.faces, view, *SIZE).mask
    return box, normalisation, view, np.repeat(mask[None], 4, axis=0).astype(np.float32)


def still(mesh, frames=4):
    return np.repeat(mesh.positions[None], frames, axis=0)


def test_a_result_that_lies_on_the_video_is_trusted_but_for_what_was_never_seen(filmed):
    mesh, normalisation, view, masks = filmed
    trust = trust_of(still(mesh), Compared(mesh.faces, normalisation, view, masks), silent)
    assert trust.overlap.min() > 0.95 and trust_warnings(trust, "box", "box.mp4") == ()
    front = mesh.positions[:, 2] > mesh.positions[:, 2].mean()
    (doubt,) = trust.doubt
    assert (doubt[front] == 0).all() and (doubt[~front] == 1).all()
    assert "doubt" not in trust.report


def test_the_frame_that_is_off_is_the_worst_and_its_vertices_are_doubted(filmed):
    mesh, normalisation, view, masks = filmed
    positions = still(mesh)
    positions[2, :, 0] += 0.3 * np.ptp(mesh.positions[:, 0])
    trust = trust_of(positions, Compared(mesh.faces, normalisation, view, masks), silent)
    assert trust.report["worst"][0] == 2 and trust.overlap[2] < 0.75 < trust.overlap[[0, 1, 3]].min()
    (doubt,) = trust.doubt
    seen = doubt < 1
    right = mesh.positions[:, 0] > mesh.positions[:, 0].mean()
    assert doubt[seen & right].min() == pytest.approx(0.25) and doubt[seen & ~right].max() == 0


def test_errors_that_a_reconstructor_expects_are_what_is_doubted_frame_by_frame(filmed):
    mesh, normalisation, view, masks = filmed
    compared = Compared(mesh.faces, normalisation, view, masks)
    expected = np.linspace(0, 2 * DOUBTED_ERROR, 4)[:, None] * np.ones(len(mesh.positions))
    trust = trust_of(still(mesh), compared, silent, expected.astype(np.float16))
    np.testing.assert_allclose(trust.doubt[:, 0].astype(float), [0, 2 / 3, 1, 1], atol=1e-3)
    assert trust.report["doubt"] == pytest.approx([0, 0.667, 1, 1], abs=1e-3)
    assert trust.report["doubtful_vertices"] == 0.75
    before = AnimationResult(still(mesh), np.arange(4), 24.0, view, {"fit": trust.report}, None, trust.doubt)
    part = Compared(mesh.faces, normalisation, view, masks[:2])
    corrected = trust_after(before, still(mesh), np.arange(2), part, silent)
    np.testing.assert_array_equal(corrected.doubt, trust.doubt)


def test_a_mesh_that_the_video_does_not_show_is_warned_of_with_the_number(filmed):
    mesh, normalisation, view, masks = filmed
    masks = np.roll(masks, 25, axis=2)
    trust = trust_of(still(mesh), Compared(mesh.faces, normalisation, view, masks), silent)
    (warning,) = trust_warnings(trust, "box", "fox.mp4")
    assert warning["code"] == "poor-fit" and "fox.mp4" in warning["sentence"]
    assert f"{trust.overlap.mean():.2f}" in warning["sentence"]


def test_what_leaves_the_picture_is_not_held_against_the_result(filmed):
    mesh, normalisation, view, masks = filmed
    half = masks[:, :, : SIZE[1] // 2]
    cut = view.of_part((0, SIZE[0], 0, SIZE[1] // 2), SIZE)
    trust = trust_of(still(mesh), Compared(mesh.faces, normalisation, cut, half), silent)
    assert trust.overlap.min() > 0.9 and set(np.unique(trust.doubt)) <= {0.0, 1.0}


def test_a_corrected_result_is_told_as_if_it_had_been_looked_at_whole(filmed):
    """Frame 2 was off and is put right: what is told is the same as of a result that never was off."""
    mesh, normalisation, view, masks = filmed
    right, wrong = still(mesh), still(mesh)
    wrong[2, :, 0] += 0.3 * np.ptp(mesh.positions[:, 0])
    compared = Compared(mesh.faces, normalisation, view, masks)
    found, whole = (trust_of(each, compared, silent) for each in (wrong, right))
    warned = {"fit": found.report, "warnings": [{"code": "poor-fit", "sentence": "of before"}, {"code": "blurred"}]}
    before = AnimationResult(wrong, np.arange(4), 24.0, view, warned, None, found.doubt)
    times = np.array([1, 2])
    part = Compared(mesh.faces, normalisation, view, masks[times])
    trust = trust_after(before, right, times, part, silent)
    np.testing.assert_allclose(trust.overlap, whole.overlap, atol=1e-3)  # the others as they were told, rounded
    assert np.array_equal(trust.doubt, whole.doubt)
    assert (found.doubt != whole.doubt).sum() >= 2
    told = with_trust(before, trust, "box", "box.mp4")
    assert told.report["fit"]["worst"] != found.report["worst"] and told.doubt is trust.doubt
    assert [each["code"] for each in told.report["warnings"]] == ["blurred"]


def test_nothing_is_told_of_frames_that_nobody_has_looked_at(filmed):
    mesh, normalisation, view, masks = filmed
    before = AnimationResult(still(mesh), np.arange(4), 24.0, view, {"warnings": []})
    part = Compared(mesh.faces, normalisation, view, masks[:2])
    trust = trust_after(before, still(mesh), np.arange(2), part, silent)
    assert trust is None and "fit" not in with_trust(before, trust, "box", "box.mp4").report
    whole = Compared(mesh.faces, normalisation, view, masks)
    all_of_them = trust_after(before, still(mesh), np.arange(4), whole, silent)
    assert all_of_them.overlap.min() > 0.95 and all_of_them.doubt is None
    assert "doubtful_vertices" not in all_of_them.report
