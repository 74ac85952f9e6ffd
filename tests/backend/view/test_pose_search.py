"""Finding the frame that shows a mesh in its own pose, and views of it where no frame does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.errors import Cancelled
from motion324.core.progress import silent
from motion324.core.view import look_at_origin
from motion324.view import pose_search
from motion324.view.other_views import carried_view
from motion324.view.pose_search import match_in, posed_score, search_poses, shown_elsewhere
from motion324.view.view_search import overlap_of

TRUTH = look_at_origin(20.0, 5.0, 2.2, 1.39)


def turned_by(a, b):
    return float(np.degrees(np.arccos(np.clip((np.trace(a.rotation @ b.rotation.T) - 1) / 2, -1, 1))))


@pytest.fixture(scope="module")
def clip():
    """A creature whose arm falls to its side, filmed: its positions, frames and masks."""
    mesh = creature()
    moved = waving(mesh, frames=12, reach=1.2)
    return mesh, moved, *film(mesh, moved, TRUTH)


def test_the_frame_is_found_whose_pose_the_mesh_has_and_the_view_with_it(clip):
    mesh, moved, frames, masks = clip
    other = dataclasses.replace(mesh, positions=moved[5])
    found = search_poses(other, frames, masks, "auto", 3, silent).best
    assert abs(found.frame - 5) <= 2  # where the arm hangs, it hardly moves
    assert turned_by(found.view, TRUTH) < 3
    assert found.overlap > 0.93


@pytest.mark.parametrize("met", [0, 6])
def test_from_a_frame_beside_the_right_one_the_search_goes_on_to_it(monkeypatch, clip, met):
    mesh, moved, frames, masks = clip
    monkeypatch.setattr(pose_search, "LOOKED_AT", 1)
    monkeypatch.setattr(pose_search, "_overlaps", lambda drawn, wanted: 1.0 * (np.arange(len(wanted))[None] == met))
    other = dataclasses.replace(mesh, positions=moved[3])
    found = search_poses(other, frames, masks, "20,5", 3, silent).best
    assert found.frame == 3 and found.agrees
    assert turned_by(found.view, TRUTH) < 1.5


def test_the_first_frame_is_asked_again_by_the_view_that_another_frame_gave(monkeypatch, clip):
    mesh, moved, frames, masks = clip
    masks = masks.copy()
    masks[[1, 2, 3]] = 0  # no way from frame to frame leads there
    monkeypatch.setattr(pose_search, "LOOKED_AT", 1)
    monkeypatch.setattr(pose_search, "_overlaps", lambda drawn, wanted: 1.0 * (np.arange(len(wanted))[None] == 2))
    found = search_poses(dataclasses.replace(mesh, positions=moved[0]), frames, masks, "20,5", 3, silent).best
    assert found.frame == 0 and found.agrees
    assert turned_by(found.view, TRUTH) < 1.5


def test_a_quick_look_says_whether_another_frame_shows_the_mesh_better(clip):
    mesh, moved, _, masks = clip
    assert not shown_elsewhere(mesh, masks, "auto", silent)
    assert shown_elsewhere(dataclasses.replace(mesh, positions=moved[4]), masks, "auto", silent)


def test_a_match_agrees_only_where_the_surface_lies_on_the_picture(clip):
    mesh, moved, frames, masks = clip
    other = dataclasses.replace(mesh, positions=moved[4])
    right, beside = (match_in(other, frame, TRUTH, frames, masks) for frame in (4, 2))
    assert right.agrees and not beside.agrees
    assert right.score > beside.score
    assert right.overlap == overlap_of(other, TRUTH, masks[4])


@pytest.mark.long
def test_a_given_view_is_where_the_search_starts_and_the_only_one(clip):
    mesh, moved, frames, masks = clip
    other = dataclasses.replace(mesh, positions=moved[5])
    search = search_poses(other, frames, masks, "17,4", 3, silent)
    assert turned_by(search.best.view, TRUTH) < 3
    assert abs(search.best.frame - 5) <= 2
    (view,) = search.views
    assert view.azimuth == pytest.approx(17, abs=3) and view.elevation == pytest.approx(4, abs=3)


@pytest.mark.long
def test_frames_without_the_object_are_passed_over(clip):
    mesh, moved, frames, masks = clip
    masks = masks.copy()
    masks[[1, 2, 9]] = 0
    found = search_poses(dataclasses.replace(mesh, positions=moved[6]), frames, masks, "20,5", 3, silent).best
    assert abs(found.frame - 6) <= 2


@pytest.mark.long
def test_views_of_a_pose_that_no_frame_shows_differ_and_cover_the_first_frames_object(clip):
    mesh, _, frames, masks = clip
    stretched = mesh.positions * np.array([1.0, 1.4, 1.0], np.float32)
    search = search_poses(dataclasses.replace(mesh, positions=stretched), frames, masks, "auto", 3, silent)
    assert 2 <= len(search.views) <= 3
    assert turned_by(search.views[0], search.views[1]) == pytest.approx(180, abs=0.1)
    for number, view in enumerate(search.views):
        assert all(turned_by(view, other) > 60 for other in search.views[:number])
        pixels, _ = view.project(stretched, *masks.shape[1:])
        ys, xs = np.nonzero(masks[0])
        np.testing.assert_allclose(pixels.mean(axis=0), [xs.mean(), ys.mean()], atol=12)


def test_the_right_motion_scores_above_the_still_mesh(clip):
    mesh, moved, frames, masks = clip
    still = np.repeat(mesh.positions[None], len(moved), axis=0)
    assert posed_score(mesh, TRUTH, moved, frames, masks) > posed_score(mesh, TRUTH, still, frames, masks) + 0.05


def test_a_carried_view_sees_the_mesh_where_and_as_large_as_the_posed_one_is_seen():
    mesh = creature()
    turn = look_at_origin(35.0, 20.0, 1.0, 1.0).rotation
    posed = 0.7 * mesh.positions @ turn.T + np.array([0.3, -0.1, 0.2])
    view = carried_view(TRUTH, mesh.positions, posed)
    np.testing.assert_allclose(view.project(mesh.positions, 200, 200)[0], TRUTH.project(posed, 200, 200)[0], atol=1e-3)
    assert view.rotation @ view.rotation.T == pytest.approx(np.eye(3), abs=1e-9)


def test_the_search_can_be_cancelled(clip):
    mesh, _, frames, masks = clip

    def stop(stage, done, total):
        raise Cancelled()

    with pytest.raises(Cancelled):
        search_poses(mesh, frames, masks, "auto", 3, stop)


@pytest.mark.long
def test_overlap_is_told_of_the_frame_that_was_found(clip):
    mesh, moved, frames, masks = clip
    found = search_poses(dataclasses.replace(mesh, positions=moved[4]), frames, masks, "20,5", 3, silent).best
    own = dataclasses.replace(mesh, positions=moved[4])
    assert found.overlap == pytest.approx(overlap_of(own, found.view, masks[found.frame]))
