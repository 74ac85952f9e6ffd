"""The pipeline around its stages: coordinates, streaming, smoothing, the report, and what may go wrong."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
from fake_reconstructor import STEP, FakeReconstructor, fake_find_view

from motion324.core.clip import VideoClip
from motion324.core.errors import (
    EXIT_BAD_MESH,
    EXIT_BAD_VIDEO,
    EXIT_CANNOT_WRITE,
    EXIT_USAGE,
    Cancelled,
    Motion324Error,
)
from motion324.core.files.point_cache import read_pc2
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.jobs.job_plan import plan_of
from motion324.core.motion.doubt import DOUBTED_ERROR
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import STAGES
from motion324.mesh.colours import as_srgb, colours_at, meaning_by_generator, with_other_meaning
from motion324.pipeline import animate as pipeline
from motion324.pipeline import trust
from motion324.pipeline.animate import animate
from motion324.pipeline.reference import SURFACE_SAMPLES
from motion324.trajectories.result_files import KeepOptions
from motion324.video.foreground import ForegroundMasks

UNSMOOTHED = AnimateOptions(smooth=0)
TRUST_WARNINGS = trust.trust_warnings


@pytest.fixture
def reconstructor(monkeypatch):
    return use(monkeypatch, FakeReconstructor())


def use(monkeypatch, reconstructor, overlap=0.9):
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: reconstructor)
    monkeypatch.setattr(pipeline, "find_view", fake_find_view(overlap))
    monkeypatch.setattr(trust, "trust_warnings", lambda *_: ())  # the view is none that fits
    return reconstructor


def moved_along_x(mesh, frames, step):
    positions = np.repeat(mesh.positions[None], frames, axis=0)
    positions[..., 0] += step * np.arange(frames, dtype=np.float32)[:, None]
    return positions


@pytest.mark.parametrize("up", ["Y", "Z"])
def test_positions_come_in_the_meshs_own_coordinates_and_vertex_order(reconstructor, box, sliding_square, up):
    mesh = dataclasses.replace(box, up=up)
    result = animate(mesh, sliding_square, UNSMOOTHED)
    assert result.positions.dtype == np.float32
    np.testing.assert_allclose(result.positions, moved_along_x(mesh, 12, 3 * STEP), atol=1e-5)


def test_frame_0_is_the_reference_mesh_to_the_last_bit(reconstructor, box, sliding_square):
    mesh = dataclasses.replace(box, positions=box.positions * np.float32(1.2345) + np.float32(1000.1))
    result = animate(mesh, sliding_square, AnimateOptions(smooth=2.0))
    np.testing.assert_array_equal(result.positions[0], mesh.positions)


def test_a_plan_comes_with_the_first_frames_and_a_better_one_when_all_have_been_read(reconstructor, box, files):
    told = []
    options = AnimateOptions(mask="plain")
    animate(
        box,
        files / "slide",
        options,
        progress=lambda stage, done, total: told.append(stage),
        on_plan=lambda plan: told.append(plan),
    )
    first, better = (place for place, entry in enumerate(told) if not isinstance(entry, str))
    assert set(told[:better]) - {told[first]} == {"read"} and "read" in told[first:better]
    assert told[better] == plan_of(options, 12, 96 * 64, len(box.positions))
    assert sum(stage.seconds for stage in told[first]) > sum(stage.seconds for stage in told[better])


def test_how_well_mesh_and_video_match_is_told_before_anything_is_reconstructed(reconstructor, box, sliding_square):
    told = []
    result = animate(
        box,
        sliding_square,
        AnimateOptions(),
        on_match=lambda overlap: told.append(overlap),
        progress=lambda stage, done, total: told.append(stage),
    )
    (overlap,) = (each for each in told if isinstance(each, float))
    assert overlap == pytest.approx(result.report["silhouette_overlap"], abs=1e-4)
    assert "view" in told[: told.index(overlap)] and "reconstruct" not in told[: told.index(overlap)]


def test_the_reconstructor_gets_the_mesh_in_normalised_space_and_samples_of_it(reconstructor, box, sliding_square):
    animate(box, sliding_square, AnimateOptions(seed=7))
    (scene,) = reconstructor.scenes
    low, high = scene.mesh.positions.min(axis=0), scene.mesh.positions.max(axis=0)
    np.testing.assert_allclose(high - low, [1 / 3, 2 / 3, 1], atol=1e-6)
    np.testing.assert_allclose(low + high, 0, atol=1e-6)
    assert scene.surface.points.shape == (SURFACE_SAMPLES, 3)
    assert scene.seed == 7
    assert scene.masks[0, 30, 30] == 1
    assert scene.masks[0, 5, 5] == 0


def test_the_report_says_what_the_mesh_file_lost_and_what_its_colours_mean(
    reconstructor, box, sliding_square, tmp_path, caplog
):
    lost = {"code": "mesh-materials", "sentence": "The texture 'a.png' is missing; the plain colour is used."}
    file_colours = np.full((8, 3), 0.5, np.float32)
    mesh = dataclasses.replace(
        box,
        vertex_colour=as_srgb(file_colours, "linear"),
        metadata=meaning_by_generator("somebody's exporter"),
        warnings=(lost,),
    )
    with caplog.at_level("INFO"):
        result = animate(mesh, sliding_square, UNSMOOTHED, keep=KeepOptions(tmp_path / "out"))
    assert lost in result.report["warnings"]
    told = json.loads((tmp_path / "out" / "report.json").read_text())["mesh"]["vertex_colours"]
    assert told == {"taken_as": "linear", "because": "the standard says so"}
    assert "taken as linear" in caplog.text


def test_the_first_frame_decides_what_colours_mean_before_anything_is_computed(
    reconstructor, box, sliding_square, monkeypatch
):
    told = meaning_by_generator("somebody's exporter")
    file_colours = np.linspace(0, 1, 24, dtype=np.float32).reshape(8, 3)
    mesh = dataclasses.replace(box, vertex_colour=as_srgb(file_colours, "linear"), metadata=told)

    def clearly_srgb(normalised, view, frame, mask):
        np.testing.assert_array_equal(frame, sliding_square.frames[0])
        return with_other_meaning(normalised, "the frame fits")

    monkeypatch.setattr(pipeline, "with_fitting_colours", clearly_srgb)
    result = animate(mesh, sliding_square, UNSMOOTHED)
    assert result.report["mesh"]["vertex_colours"] == {"taken_as": "sRGB", "because": "the frame fits"}
    (scene,) = reconstructor.scenes
    np.testing.assert_allclose(scene.mesh.vertex_colour, file_colours, atol=1e-5)
    np.testing.assert_array_equal(
        scene.surface.colours, colours_at(scene.mesh, scene.surface.faces, scene.surface.barycentric)
    )


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(reconstructor, box, sliding_square):
    for seed in (3, 3, 4):
        animate(box, sliding_square, AnimateOptions(seed=seed))
    first, second, third = (scene.surface.points for scene in reconstructor.scenes)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_batches_stream_in_the_meshs_own_coordinates_first_rough_then_final(reconstructor, box, sliding_square):
    batches = []
    animate(box, sliding_square, UNSMOOTHED, on_frames=batches.append)
    assert [(batch.indices[0], batch.final) for batch in batches] == [(i, f) for f in (False, True) for i in (0, 5, 10)]
    half, whole = moved_along_x(box, 12, 1.5 * STEP), moved_along_x(box, 12, 3 * STEP)
    np.testing.assert_allclose(np.concatenate([batch.positions for batch in batches[:3]]), half, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([batch.positions for batch in batches[3:]]), whole, atol=1e-5)


def test_what_was_streamed_does_not_change_when_the_result_is_smoothed(monkeypatch, box, sliding_square):
    class Jittering(FakeReconstructor):
        def reconstruct(self, scene, progress):
            for batch in super().reconstruct(scene, progress):
                batch.positions[batch.indices % 2 == 1] += 0.1
                yield batch

    use(monkeypatch, Jittering())
    batches = []
    result = animate(box, sliding_square, AnimateOptions(smooth=2.0), on_frames=batches.append)
    streamed = np.concatenate([batch.positions for batch in batches if batch.final])
    jitter = [np.abs(np.diff(p[2:-2], n=2, axis=0)).max() for p in (streamed, result.positions)]
    assert jitter[0] > 0.5
    assert jitter[1] < 0.1 * jitter[0]


def test_every_stage_is_reported_in_order_and_timed(reconstructor, box, sliding_square, tmp_path):
    seen = []
    result = animate(
        box,
        sliding_square,
        AnimateOptions(),
        progress=lambda stage, done, total: seen.append((stage, done, total)),
        keep=KeepOptions(tmp_path / "out"),
    )
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == [stage for stage in STAGES if stage != "read"]
    assert all(0 <= done <= total for _, done, total in seen)
    seconds = result.report["seconds"]
    assert seconds["total"] == pytest.approx(sum(seconds[stage] for stage in STAGES), abs=0.01)


def test_the_report_says_what_was_done_in_plain_json(reconstructor, box, sliding_square):
    report = animate(box, sliding_square, AnimateOptions(seed=5)).report
    assert json.loads(json.dumps(report)) == report
    assert report["mesh"] == {"name": "box", "vertices": 8, "faces": 12, "up": "Y"}
    assert report["video"] == {"name": "slide.mp4", "frames": 12, "size": [96, 64]}
    assert report["reconstructor"] == "fake"
    assert report["reconstruction"] == {"step": STEP}
    assert report["mask"] == "plain"
    assert report["options"]["seed"] == 5
    assert report["view"]["azimuth"] == pytest.approx(30)
    assert report["silhouette_overlap"] == 0.9
    assert report["warnings"] == []
    assert report["peak_memory_mb"] > 20


def test_a_mesh_unlike_the_video_is_warned_of_with_the_number(monkeypatch, box, sliding_square):
    use(monkeypatch, FakeReconstructor(), overlap=0.31)
    (warning,) = animate(box, sliding_square, AnimateOptions(pose="first-frame")).report["warnings"]
    assert warning["code"] == "low-overlap"
    assert "0.31" in warning["sentence"]
    assert "'box'" in warning["sentence"]


def test_the_fit_of_every_frame_and_the_doubt_about_every_vertex_are_told(
    reconstructor, monkeypatch, box, sliding_square
):
    monkeypatch.undo()
    use(monkeypatch, reconstructor)
    monkeypatch.setattr(trust, "trust_warnings", TRUST_WARNINGS)
    result = animate(box, sliding_square, UNSMOOTHED)
    assert len(result.report["fit"]["overlap"]) == 12 and result.doubt.shape == (1, 8)
    assert [warning["code"] for warning in result.report["warnings"]] == ["poor-fit"]


def test_the_errors_that_a_reconstructor_expects_are_told_with_its_frames_and_the_result(
    monkeypatch, box, sliding_square
):
    use(monkeypatch, FakeReconstructor(expected_error=0.02))
    batches = []
    options = AnimateOptions(pose="first-frame", smooth=0.0)
    result = animate(box, sliding_square, options, on_frames=batches.append)
    assert result.doubt.shape == (12, 8) and (result.doubt[0] == 0).all(), "the mesh itself is known"
    np.testing.assert_allclose(result.doubt[1:].astype(float), 0.02 / DOUBTED_ERROR, rtol=1e-3)
    assert all(np.allclose(batch.expected_error[batch.indices > 0], 0.02, rtol=1e-3) for batch in batches)
    assert len(result.report["fit"]["doubt"]) == 12


def test_an_object_that_leaves_the_picture_is_warned_of_with_its_frames(reconstructor, box, sliding_square):
    frames = np.stack([np.roll(frame, 30, axis=1) for frame in sliding_square.frames])
    frames[:, :, :20] = 255
    report = animate(box, dataclasses.replace(sliding_square, frames=frames), AnimateOptions()).report
    (warning,) = report["warnings"]
    assert warning["code"] == "object-leaves-frame"
    assert "frames 11" in warning["sentence"] or "frame 11" in warning["sentence"]


def test_frame_rate_and_frame_numbers_are_the_clips_unless_chosen(reconstructor, box, sliding_square):
    clip = dataclasses.replace(sliding_square, frame_numbers=np.arange(100, 124, 2))
    result = animate(box, clip, AnimateOptions())
    assert result.fps == 12.0
    np.testing.assert_array_equal(result.frame_numbers, clip.frame_numbers)
    assert animate(box, clip, AnimateOptions(fps=30.0)).fps == 30.0


def test_the_reconstructor_hears_of_the_jobs_size_before_any_work(reconstructor, box, sliding_square):
    seen = []
    reconstructor.check_job = lambda frames, vertices: seen.append((frames, vertices)) or 1 / 0
    with pytest.raises(ZeroDivisionError):
        animate(box, sliding_square, AnimateOptions(), progress=lambda stage, done, total: seen.append(stage))
    assert seen == [(12, 8)]


def test_what_the_reconstructor_needs_is_loaded_while_masks_and_view_are_found(monkeypatch, box, sliding_square):
    told: list[str] = []

    class Loading(FakeReconstructor):
        def load_beforehand(self) -> None:
            told.append("loading")

    use(monkeypatch, Loading())
    animate(box, sliding_square, UNSMOOTHED, progress=lambda stage, done, total: told.append(stage))
    assert told.count("loading") == 1
    assert told.index("loading") < told.index("foreground")


def test_kept_files_hold_the_result(reconstructor, box, sliding_square, tmp_path):
    keep = KeepOptions(tmp_path / "new" / "out", cutouts=True, overlay=True)
    result = animate(box, sliding_square, AnimateOptions(), keep=keep)
    names = {path.name for path in keep.folder.iterdir()}
    videos = {"overlay.mp4", "cutout_black.mp4", "cutout_white.mp4", "mask.mp4"}
    assert names == {"trajectory.npz", "animation.pc2", "report.json"} | videos
    np.testing.assert_array_equal(load_trajectory(keep.folder / "trajectory.npz").positions, result.positions)
    np.testing.assert_array_equal(read_pc2(keep.folder / "animation.pc2").positions, result.positions)
    assert json.loads((keep.folder / "report.json").read_text("utf-8")) == result.report


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "read"])
def test_cancelling_at_any_stage_leaves_nothing(reconstructor, box, sliding_square, tmp_path, stage):
    def cancel(at, done, total):
        if at == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        animate(
            box, sliding_square, AnimateOptions(), progress=cancel, keep=KeepOptions(tmp_path / "a" / "b", overlay=True)
        )
    assert list(tmp_path.iterdir()) == []


def test_cancelling_keeps_the_results_of_an_earlier_run(reconstructor, box, sliding_square, tmp_path):
    keep = KeepOptions(tmp_path / "out")
    animate(box, sliding_square, AnimateOptions(), keep=keep)
    before = {path.name: path.read_bytes() for path in keep.folder.iterdir()}

    def cancel(stage, done, total):
        if stage == "write" and done:
            raise Cancelled

    with pytest.raises(Cancelled):
        animate(box, sliding_square, AnimateOptions(smooth=3.0), progress=cancel, keep=keep)
    assert {path.name: path.read_bytes() for path in keep.folder.iterdir()} == before


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(reconstructor, box, sliding_square, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Motion324Error, match="file") as caught:
        animate(box, sliding_square, AnimateOptions(), keep=KeepOptions(tmp_path / "file" / "out"))
    assert (caught.value.code, caught.value.exit_code) == ("cannot-write", EXIT_CANNOT_WRITE)
    assert reconstructor.scenes == []


def test_a_disk_without_room_for_the_result_is_found_before_the_work(
    reconstructor, box, sliding_square, tmp_path, monkeypatch
):
    monkeypatch.setattr("motion324.pipeline.output_folder.shutil.disk_usage", lambda path: FreeBytes(1000))
    with pytest.raises(Motion324Error, match="0 MB free, but the results need 1 MB") as caught:
        animate(box, sliding_square, AnimateOptions(), keep=KeepOptions(tmp_path / "out"))
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_CANNOT_WRITE)
    assert reconstructor.scenes == []
    assert list(tmp_path.iterdir()) == []


@dataclasses.dataclass
class FreeBytes:
    free: int


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(reconstructor, box, sliding_square, tmp_path, full_disk):
    def fill_at_last(stage, done, total):
        if stage == "write" and not stack:
            stack.append(full_disk(1000))
            stack[0].__enter__()

    stack = []
    try:
        with pytest.raises(Motion324Error, match=r"no room.*trajectory\.npz") as caught:
            animate(box, sliding_square, AnimateOptions(), progress=fill_at_last, keep=KeepOptions(tmp_path / "out"))
    finally:
        stack[0].__exit__(None, None, None)
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_CANNOT_WRITE)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_of_one_frame_is_refused_by_name(reconstructor, box, sliding_square):
    clip = dataclasses.replace(sliding_square, frames=sliding_square.frames[:1], frame_numbers=np.arange(1))
    with pytest.raises(Motion324Error, match=r"slide\.mp4.*1 frame") as caught:
        animate(box, clip, AnimateOptions())
    assert (caught.value.code, caught.value.exit_code) == ("video-one-frame", EXIT_BAD_VIDEO)


def test_a_mesh_with_nan_is_refused_before_the_video_is_read(reconstructor, box, tmp_path):
    positions = box.positions.copy()
    positions[3] = np.nan
    with pytest.raises(Motion324Error, match=r"'box'.*vertex 3") as caught:
        animate(dataclasses.replace(box, positions=positions), tmp_path / "missing.mp4", AnimateOptions())
    assert caught.value.exit_code == EXIT_BAD_MESH


def test_options_are_checked_before_anything_else(reconstructor, box, tmp_path):
    with pytest.raises(Motion324Error, match="smooth") as caught:
        animate(box, tmp_path / "missing.mp4", AnimateOptions(smooth=float("nan")))
    assert caught.value.exit_code == EXIT_USAGE


def test_a_reconstructor_that_forgets_a_frame_is_found_out(monkeypatch, box, sliding_square):
    use(monkeypatch, FakeReconstructor(leave_out=4))
    with pytest.raises(Motion324Error, match="left out 1 of the 12 frames"):
        animate(box, sliding_square, AnimateOptions())


def test_positions_that_are_not_finite_are_found_out_with_the_frame(monkeypatch, box, sliding_square):
    use(monkeypatch, FakeReconstructor(break_at=6))
    clip = dataclasses.replace(sliding_square, frame_numbers=np.arange(50, 62))
    with pytest.raises(Motion324Error, match=r"frame 56 of 'slide\.mp4'"):
        animate(box, clip, AnimateOptions())


def test_black_frames_at_the_start_are_left_out_and_the_others_keep_their_numbers(reconstructor, box, sliding_square):
    frames = sliding_square.frames.copy()
    frames[:3] = 0
    result = animate(box, dataclasses.replace(sliding_square, frames=frames), UNSMOOTHED)
    assert result.frame_numbers.tolist() == list(range(3, 12))
    assert len(result.positions) == 9
    np.testing.assert_array_equal(result.positions[0], box.positions)
    assert [warning["code"] for warning in result.report["warnings"]] == ["first-frame-without-object"]
    assert "--frames 3:" in result.report["warnings"][0]["sentence"]


def test_given_masks_that_show_no_object_at_the_start_leave_these_frames_out(reconstructor, box, sliding_square):
    masks = (sliding_square.frames[..., 1] < 128).astype(np.float32)
    masks[:2] = 0
    result = animate(box, sliding_square, UNSMOOTHED, foreground=ForegroundMasks(masks, "given"))
    assert result.frame_numbers.tolist() == list(range(2, 12))
    assert reconstructor.scenes[0].masks[0].sum() == 24 * 24


def test_a_still_camera_gives_the_reconstructor_the_very_frames(reconstructor, box, sliding_square):
    result = animate(box, sliding_square, UNSMOOTHED)
    assert reconstructor.scenes[0].frames is sliding_square.frames
    assert result.report["camera"]["motion"] == "not known"  # the background is plain
    assert result.report["warnings"] == []


def test_a_panning_camera_is_taken_off_before_the_reconstruction(reconstructor, box):
    world = cv2.resize(np.random.default_rng(0).integers(60, 200, (25, 60, 3), np.uint8), (600, 250))
    world[100:150, 100:150] = (250, 20, 20)
    frames = np.stack([world[:200, 6 * k : 6 * k + 300] for k in range(8)])
    masks = (frames[..., 0] > 240).astype(np.float32)
    clip = VideoClip(frames, 12.0, np.arange(8), name="pan.mp4")
    result = animate(box, clip, UNSMOOTHED, foreground=ForegroundMasks(masks, "given"))
    (scene,) = reconstructor.scenes
    assert abs(scene.masks - scene.masks[0]).mean() < 0.01
    assert [warning["code"] for warning in result.report["warnings"]] == ["camera-motion-removed"]
    assert result.report["camera"]["motion"] == "taken off"
    result = animate(
        box, clip, dataclasses.replace(UNSMOOTHED, camera="still"), foreground=ForegroundMasks(masks, "given")
    )
    assert reconstructor.scenes[1].frames is frames
    assert result.report["warnings"] == []
