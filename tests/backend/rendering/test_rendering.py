"""Videos of results and comparisons, drawn by a Blender process."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from creature import creature, waving
from small_release import write_frames, write_glb, write_release

from motion324.cli.main import main
from motion324.core.errors import EXIT_INTERNAL, EXIT_USAGE, Motion324Error
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin
from motion324.evaluation.alignment import Alignment
from motion324.evaluation.mesh_sequence import Similarity
from motion324.evaluation.release import read_release
from motion324.rendering import result_videos
from motion324.rendering.comparison_videos import (
    PREDICTION,
    TRUTH,
    recorded_pairs,
    video_name,
    write_comparisons,
    write_record,
)
from motion324.rendering.result_videos import FOCAL, Look, draw_sequence, tiled
from motion324.view.rasteriser import rasterise

LOOK = Look(size=160, azimuths=(0.0, 90.0), elevation=20.0, samples=8)


def test_blender_draws_what_the_camera_should_see(blender):
    mesh, positions = creature(), waving(creature(), 2)
    look = LOOK.seeing(positions)
    for azimuth, view in zip(look.azimuths, draw_sequence(positions, mesh, look, blender), strict=True):
        camera = look_at_origin(azimuth, look.elevation, look.distance, FOCAL)
        for picture, frame in zip(view, positions, strict=True):
            expected = rasterise(frame, mesh.faces, camera, look.size, look.size).mask
            seen = picture.min(axis=2) < 200  # about half of a pixel on the edge
            overlap = (expected & seen).sum() / (expected | seen).sum()
            assert overlap > 0.93, (azimuth, overlap)
            assert (picture[~cv2.dilate(expected.astype(np.uint8), np.ones((5, 5))).astype(bool)] == 255).all()


def test_textures_and_colours_are_drawn(blender):
    """A square of two triangles that looks at the camera: the left half of its texture is red, the right half blue."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    texture = np.zeros((16, 16, 4), np.uint8)
    texture[:, :8], texture[:, 8:] = (220, 20, 20, 255), (20, 20, 220, 255)
    uv = (corners[:, :2] + 1) / 2
    textured = ReferenceMesh(
        corners, faces, np.zeros(2, np.int32), (Material(base_colour=(1, 1, 1, 1), texture=texture),), uv[faces]
    )
    painted = ReferenceMesh(
        corners, faces, np.zeros(2, np.int32), vertex_colour=np.tile(np.float32([0.1, 0.8, 0.1]), (4, 1))
    )
    look = Look(size=64, azimuths=(0.0,), elevation=0.0).seeing(corners[None])
    picture = draw_sequence(corners[None], textured, look, blender)[0][0].astype(int)
    left, right = picture[32, 25], picture[32, 39]
    assert left[0] > left[2] + 60 and right[2] > right[0] + 60
    green = draw_sequence(corners[None], painted, look, blender)[0][0].astype(int)[32, 32]
    assert green[1] > green[0] + 60 and green[1] > green[2] + 60


def test_results_get_their_videos(blender, tmp_path, capsys):
    mesh, positions = creature(), waving(creature(), 3)
    view = look_at_origin(0, 0, 3, 1.5)
    for name in ("a", "b"):
        (tmp_path / "out" / name).mkdir(parents=True)
        save_trajectory(
            tmp_path / "out" / name / "trajectory.npz", AnimationResult(positions, np.arange(3), 12.0, view), mesh.faces
        )
    write_glb(tmp_path / "mesh.glb", mesh.positions, mesh.faces)
    (tmp_path / "out" / "a" / "item.json").write_text(
        json.dumps({"inputs": {"mesh": {"path": str(tmp_path / "mesh.glb")}}})
    )
    (tmp_path / "out" / "c").mkdir()
    (tmp_path / "out" / "c" / "trajectory.npz").write_text("broken")
    command = ["render", str(tmp_path / "out"), "--size", "64", "--blender", str(blender)]
    assert main(command) == EXIT_INTERNAL
    assert "c/trajectory.npz" in capsys.readouterr().err
    for name in ("a", "b"):
        video = cv2.VideoCapture(str(tmp_path / "out" / name / "animation.mp4"))
        assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
        assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (128, 128)


def test_comparison_of_a_turned_copy_shows_the_same_twice(blender, tmp_path):
    truths = write_release(tmp_path / "release", ("one", "lost"))
    turned = 3 * truths["one"][..., [2, 1, 0]] * [-1, 1, 1] + 5  # a quarter turn about the up axis
    write_frames(tmp_path / "predictions" / "one", turned, creature().faces)
    command = ["render", "--release", str(tmp_path / "release"), "--predictions", str(tmp_path / "predictions")]
    options = ["-o", str(tmp_path / "out"), "--size", "64", "--azimuths", "0,90", "--blender", str(blender)]
    assert main([*command, *options]) == EXIT_INTERNAL  # of one clip there is no prediction
    for azimuth in ("000", "090"):
        sides = []
        for side in ("truth", "prediction"):
            video = cv2.VideoCapture(str(tmp_path / "out" / "one" / f"{side}_{azimuth}.mp4"))
            assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(16)
            sides.append(np.stack([video.read()[1] for _ in range(6)]).astype(int))
        assert np.abs(sides[0] - sides[1]).mean() < 0.5
        assert sides[0].min() < 200
    record = json.loads((tmp_path / "out" / "one" / "render.json").read_text())
    assert record["size"] == 64 and record["alignment"]["degrees"] == pytest.approx(90, abs=0.1)
    pairs = recorded_pairs(tmp_path / "out" / "one", tmp_path / "predictions" / "one")
    assert len(pairs) == 2 and all(video.is_file() for pair in pairs for video in pair)


def test_renders_that_are_begun_anew_do_not_count_until_they_are_whole(tmp_path, monkeypatch):
    truths = write_release(tmp_path / "release")
    write_frames(tmp_path / "predictions" / "one", truths["one"], creature().faces)
    (tmp_path / "out" / "one").mkdir(parents=True)
    found = Alignment(Similarity(), 0.0)
    write_record(tmp_path / "out" / "one", tmp_path / "predictions" / "one", LOOK, found)
    with pytest.raises(Motion324Error, match=r"\.mp4' is missing"):
        recorded_pairs(tmp_path / "out" / "one", tmp_path / "predictions" / "one")
    for azimuth in LOOK.azimuths:
        for side in (TRUTH, PREDICTION):
            (tmp_path / "out" / "one" / video_name(side, azimuth)).touch()
    assert recorded_pairs(tmp_path / "out" / "one", tmp_path / "predictions" / "one")
    monkeypatch.setattr(result_videos, "find_blender", lambda preferred: None)
    clips = read_release(tmp_path / "release", ("one",))
    (compared,) = write_comparisons(clips, tmp_path / "predictions", tmp_path / "out", LOOK)
    assert compared.problem.code == "blender-not-found"
    with pytest.raises(Motion324Error, match="no complete renders"):
        recorded_pairs(tmp_path / "out" / "one", tmp_path / "predictions" / "one")


def test_blender_that_cannot_draw_is_told_with_the_remedy(tmp_path, monkeypatch):
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho 'Unable to open a display' >&2\nexit 1\n")
    broken.chmod(0o755)
    mesh = creature()
    with pytest.raises(Motion324Error, match="Unable to open a display") as caught:
        draw_sequence(mesh.positions[None], mesh, LOOK, broken)
    assert caught.value.code == "render-failed" and "libegl1" in caught.value.hint
    monkeypatch.setattr(result_videos, "find_blender", lambda preferred: None)
    with pytest.raises(Motion324Error, match="not found"):
        draw_sequence(mesh.positions[None], mesh, LOOK)


def test_what_to_render_has_to_be_clear(tmp_path, capsys):
    for wrong, word in (
        ([], "not clear"),
        ([str(tmp_path)], "trajectory.npz"),
        ([str(tmp_path), "--size", "0"], "size"),
    ):
        assert main(["render", *wrong]) == EXIT_USAGE
        assert word in capsys.readouterr().err


def test_pictures_are_tiled_in_rows():
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = tiled(pictures, 2)
    assert sheet.shape == (4, 6, 3)
    assert (sheet[0, 0, 0], sheet[0, 5, 0], sheet[3, 0, 0], sheet[3, 5, 0]) == (10, 20, 30, 255)
