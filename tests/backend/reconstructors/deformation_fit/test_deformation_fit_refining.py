"""The fit that starts from another reconstructor's result and is held to it, most of all in depth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.errors import Cancelled
from motion324.core.progress import silent
from motion324.core.view import look_at_origin
from motion324.mesh.surface import sample_surface
from motion324.reconstructors.deformation_fit import observations
from motion324.reconstructors.deformation_fit.fit_problem import DRAFT, PosedSurface
from motion324.reconstructors.deformation_fit.observations import Observer, PointTargets
from motion324.reconstructors.deformation_fit.reconstructor import DeformationFit, RefinedByFit, second_share
from motion324.reconstructors.interface import FrameBatch, Scene

VIEW = look_at_origin(0.0, 5.0, 2.0, 1.3)
FRAMES = 6


class Predictor:
    """Predicts what it is given, two frames at a time."""

    name = "given"
    trembles = True

    def __init__(self, positions: np.ndarray) -> None:
        self.positions = positions

    def check_job(self, frames: int, vertices: int) -> None:
        pass

    def details(self) -> dict[str, Any]:
        return {"from": "test"}

    def reconstruct(self, scene, progress):
        return self.predicted(progress)

    def predicted(self, progress):
        for start in range(0, len(self.positions), 2):
            progress("reconstruct", start, len(self.positions))
            part = self.positions[start : start + 2]
            yield FrameBatch(np.arange(start, start + len(part)), part, final=True)


class AskedTwice(Predictor):
    """Predicts at first half of the motion, and then what makes the mean of both the truth; keeps what it was told."""

    def __init__(self, truth: np.ndarray, takes_tracks: bool = True) -> None:
        super().__init__((truth + truth[:1]) / 2)
        self.truth, self.told_of, self.tracked = truth, [], takes_tracks

    def takes_tracks(self, progress) -> bool:
        progress("load", 0, 1)
        return self.tracked

    def reconstruct(self, scene, progress, believed=None):
        self.told_of.append(believed)
        first = self.positions
        beyond = first + (self.truth - first) / second_share(self.truth[0], first)
        yield from (self if believed is None else Predictor(beyond)).predicted(progress)


def towards_the_camera() -> np.ndarray:
    """(T, N, 3): the creature waves, and its arm bends towards the camera as far as a third of its length."""
    mesh = creature()
    truth = waving(mesh, FRAMES).astype(np.float64)
    height = np.clip((mesh.positions[:, 1] - 0.12) / 0.33, 0, 1) * (mesh.positions[:, 0] > 0)
    truth[:, :, 2] += 0.15 * height**2 * np.sin(np.pi * np.arange(FRAMES) / FRAMES)[:, None]
    return truth.astype(np.float32)


@pytest.fixture(scope="module")
def filmed() -> tuple[np.ndarray, Scene]:
    truth, mesh = towards_the_camera(), creature()
    frames, masks = film(mesh, truth, VIEW)
    return truth, Scene(mesh, sample_surface(mesh, 256, 0), frames, masks, VIEW)


def final_positions(reconstructor, scene: Scene) -> np.ndarray:
    found = np.full((len(scene.frames), *scene.mesh.positions.shape), np.nan, np.float32)
    for batch in reconstructor.reconstruct(scene, silent):
        if batch.final:
            found[batch.indices] = batch.positions
    return found


def errors(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean error across the view and along it."""
    difference = (found - truth) @ VIEW.rotation.T
    return float(np.linalg.norm(difference[..., :2], axis=2).mean()), float(np.abs(difference[..., 2]).mean())


def test_depth_is_the_predictions_and_the_rest_the_images(filmed):
    truth, scene = filmed
    ahead = VIEW.rotation[2]
    still = np.broadcast_to(truth[:1], truth.shape)
    # Right in depth, wrong by half across the view: what the images can put right.
    half = (truth + still) / 2
    predicted = half + (((truth - half) @ ahead)[..., None] * ahead)
    refined = errors(final_positions(RefinedByFit(Predictor(predicted.astype(np.float32))), scene), truth)
    alone = errors(final_positions(DeformationFit(), scene), truth)
    assert refined[0] < 0.5 * errors(predicted, truth)[0]
    assert refined[1] < 0.6 * alone[1]
    assert refined[1] < 0.4 * errors(still, truth)[1]


def test_a_right_prediction_stays_right(filmed):
    truth, scene = filmed
    refined = errors(final_positions(RefinedByFit(Predictor(truth)), scene), truth)
    still = errors(np.broadcast_to(truth[:1], truth.shape), truth)
    assert refined[0] < 0.15 * still[0]
    assert refined[1] < 0.4 * still[1]


def test_what_hardly_moves_is_held_to_the_prediction_where_masks_are_wrong(filmed):
    """And what moves far follows the images as before."""
    truth, scene = filmed

    def left(part: float, reach: float | None) -> float:
        """What is left across the view of a motion made so small, of which half is predicted."""
        moved = (truth[:1] + part * (truth - truth[:1])).astype(np.float32)
        frames, masks = film(scene.mesh, moved, VIEW)
        wrong = np.stack([masks[0], *(cv2.erode(mask, np.ones((3, 3), np.uint8)) for mask in masks[1:])])
        refined = RefinedByFit(Predictor((moved + moved[:1]) / 2))
        if reach is not None:
            refined.settings = replace(refined.settings, predicted_reach=reach)
        found = final_positions(refined, replace(scene, frames=frames, masks=wrong))
        return errors(found, moved)[0] / errors(np.broadcast_to(moved[:1], moved.shape), moved)[0]

    assert left(0.05, None) < 0.7 * left(0.05, 0.0)
    assert abs(left(1.0, None) - left(1.0, 0.0)) < 0.05


def test_a_mesh_that_lacks_a_part_is_not_stretched_to_cover_it(filmed, monkeypatch):
    """A block appears beside the creature, as a tail does that the first frame hid."""
    truth, scene = filmed
    frames, masks = scene.frames.copy(), scene.masks.copy()
    height, width = masks.shape[1:]
    left = np.flatnonzero(masks.any(axis=(0, 1)))[0]
    block = np.s_[2:, int(0.6 * height) : int(0.75 * height), max(left - width // 6, 0) : left + width // 10]
    frames[block], masks[block] = frames[0][masks[0] > 0.5].mean(axis=0), 1
    joined = replace(scene, frames=frames, masks=masks)
    now = errors(final_positions(RefinedByFit(Predictor(truth)), joined), truth)[0]
    monkeypatch.setattr(observations, "TORN", 1e6)
    print("YY", now, errors(final_positions(RefinedByFit(Predictor(truth)), joined), truth)[0])
    assert now < 0.8 * errors(final_positions(RefinedByFit(Predictor(truth)), joined), truth)[0]


def test_flow_from_a_drawing_is_checked_by_its_way_back_in_the_last_round_only(filmed, monkeypatch):
    truth, scene = filmed
    model, told = Observer.model, []

    def counted(self: Observer, t: int, surface: PosedSurface, checked: bool = True) -> PointTargets:
        told.append(checked)
        return model(self, t, surface, checked)

    monkeypatch.setattr(Observer, "model", counted)
    final_positions(RefinedByFit(Predictor(truth), DRAFT), scene)
    alone, together = (DRAFT.rounds - 1) * (FRAMES - 1), FRAMES - 1
    assert len(told) == alone + together
    assert told.count(False) == (DRAFT.rounds - 2) * (FRAMES - 1) > 0


def test_a_part_that_all_masks_lack_is_not_drawn_into_them(filmed):
    truth, scene = filmed
    arm = (scene.mesh.positions[:, 1] > 0.15) & (scene.mesh.positions[:, 0] > 0)
    without = replace(scene.mesh, faces=scene.mesh.faces[~arm[scene.mesh.faces].any(axis=1)])
    frames, masks = film(without, truth, VIEW)
    found = final_positions(RefinedByFit(Predictor(truth)), replace(scene, frames=frames, masks=masks))
    still = np.broadcast_to(truth[:1], truth.shape)
    assert errors(found[:, arm], truth[:, arm])[0] < 0.25 * errors(still[:, arm], truth[:, arm])[0]


def test_frames_come_as_predicted_first_and_last_as_refined(filmed):
    truth, scene = filmed
    refined = RefinedByFit(Predictor(truth))
    stages: list[tuple[str, float]] = []
    batches = list(refined.reconstruct(scene, lambda stage, done, total: stages.append((stage, done / total))))
    assert refined.name == "given+fit"
    assert refined.details() == {"from": "test", "fitted": True, "fitted_on": "cpu"}
    assert np.array_equal(batches[0].positions, truth[:2])
    assert not batches[0].final
    assert sorted(int(i) for batch in batches if batch.final for i in batch.indices) == list(range(FRAMES))
    assert [stage for stage, _ in stages] == sorted(stage for stage, _ in stages), "one stage after the other"
    refining = [share for stage, share in stages if stage == "refine"]
    assert refining == sorted(refining)
    assert refining[-1] == 1.0


def test_one_that_takes_tracks_is_asked_again_told_its_answer_as_fitted(filmed):
    truth, scene = filmed
    asked = AskedTwice(truth)
    still = errors(np.broadcast_to(truth[:1], truth.shape), truth)
    stages: list[tuple[str, float]] = []
    batches = list(
        RefinedByFit(asked).reconstruct(scene, lambda stage, done, total: stages.append((stage, done / total)))
    )
    first, second = asked.told_of
    assert first is None
    assert errors(second, truth)[0] < 0.6 * errors(asked.positions, truth)[0], "what the pictures put right is told"
    assert sorted(int(i) for batch in batches if batch.final for i in batch.indices) == list(range(FRAMES))
    found = np.concatenate([batch.positions for batch in batches if batch.final])
    assert errors(found, truth)[1] < 0.35 * still[1], "depth is the mean of both answers'"
    names = list(dict.fromkeys(stage for stage, _ in stages))
    assert names == ["load", "reconstruct", "refine"]
    for name in names:
        shares = [share for stage, share in stages if stage == name]
        assert shares == sorted(shares)


class TellsErrors(AskedTwice):
    """Expects other errors of its second answer than of its first."""

    def reconstruct(self, scene, progress, believed=None):
        expected = 0.01 if believed is None else 0.001
        for batch in super().reconstruct(scene, progress, believed):
            frames = batch.indices[:, None] * np.ones(len(scene.mesh.positions))
            yield replace(batch, expected_error=(expected * frames).astype(np.float32))


def test_what_comes_of_a_first_answer_is_expected_to_err_as_it_does(filmed):
    truth, scene = filmed
    batches = list(RefinedByFit(TellsErrors(truth)).reconstruct(scene, silent))
    for batch in batches:
        np.testing.assert_allclose(batch.expected_error[:, 0], 0.01 * batch.indices, rtol=1e-3)
    assert all(batch.expected_error is None for batch in RefinedByFit(AskedTwice(truth)).reconstruct(scene, silent))


def test_the_second_answer_counts_the_more_the_more_moves():
    reference = creature().positions
    moved = [waving(creature(), FRAMES) * share + reference * (1 - share) for share in (0.0, 0.3, 1.0, 20.0)]
    shares = [second_share(reference, np.asarray(positions)) for positions in moved]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] < 1.0


@pytest.mark.parametrize(("takes_tracks", "asks_twice"), [(False, True), (True, False)])
def test_one_is_asked_once_where_its_weights_take_no_tracks_or_time_is_short(filmed, takes_tracks, asks_twice):
    truth, scene = filmed
    asked = AskedTwice(truth, takes_tracks)
    final_positions(RefinedByFit(asked, DRAFT, asks_twice), scene)
    assert asked.told_of == [None]


def test_one_is_told_its_bare_answer_where_the_mask_is_of_something_else(filmed):
    truth, scene = filmed
    asked = AskedTwice(truth)
    wrong = replace(scene, masks=np.roll(scene.masks, scene.masks.shape[2] // 4, axis=2))
    final_positions(RefinedByFit(asked), wrong)
    assert np.array_equal(asked.told_of[1], asked.positions)


def test_nothing_is_fitted_where_the_mask_is_of_something_else(filmed):
    truth, scene = filmed
    predicted = np.roll(truth, 1, axis=0)
    wrong = replace(scene, masks=np.roll(scene.masks, scene.masks.shape[2] // 4, axis=2))
    refined = RefinedByFit(Predictor(predicted))
    assert np.array_equal(final_positions(refined, wrong), predicted)
    assert refined.details() == {"from": "test", "fitted": False}
    assert not np.array_equal(final_positions(refined, scene), predicted)
    assert refined.details() == {"from": "test", "fitted": True, "fitted_on": "cpu"}


def test_it_can_be_cancelled_while_the_prediction_is_followed(filmed):
    truth, scene = filmed

    def progress(stage, done, total):
        if stage == "refine":
            raise Cancelled

    with pytest.raises(Cancelled):
        list(RefinedByFit(Predictor(truth)).reconstruct(scene, progress))
