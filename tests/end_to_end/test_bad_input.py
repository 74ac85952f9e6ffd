"""What goes wrong with what people give: a sentence that names it, an exit code, and nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil

import cv2
import numpy as np
import pytest
from end_to_end.conftest import QUICK

from motion324.core.errors import (
    EXIT_BAD_MESH,
    EXIT_BAD_VIDEO,
    EXIT_CANNOT_WRITE,
    EXIT_NO_FOREGROUND,
    EXIT_OK,
    EXIT_USAGE,
)


def refusal(done, exit_code):
    """The one line on stderr that tells the error."""
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.endswith(".")
    return line


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.glb", None, "does not exist"),
        ("broken.glb", b"glTF but no more", "cannot be read"),
        ("notes.txt", b"a text", "known kind"),
        ("empty.obj", b"# nothing\n", "no mesh"),
        ("cloud.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no mesh"),
        ("nan.obj", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "finite"),
        ("point.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "same point"),
    ],
)
def test_a_mesh_that_cannot_be_used(motion324, bending, tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    line = refusal(motion324("animate", path, bending.video, "-o", tmp_path / "out"), EXIT_BAD_MESH)
    assert told in line
    assert path.stem in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.mp4", None, "does not exist"),
        ("broken.mp4", b"\0\0\0\x18ftypmp42 and then nothing", "cannot be read"),
        ("notes.txt", b"a text", "cannot be read"),
    ],
)
def test_a_video_that_cannot_be_used(motion324, bending, tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    line = refusal(motion324("animate", bending.mesh, path, "-o", tmp_path / "out"), EXIT_BAD_VIDEO)
    assert told in line
    assert name in line
    assert not (tmp_path / "out").exists()


def test_a_video_of_one_frame(motion324, bending, tmp_path):
    (tmp_path / "single").mkdir()
    shutil.copy(bending.video / "frame_0.png", tmp_path / "single")
    line = refusal(motion324("animate", bending.mesh, tmp_path / "single", "-o", tmp_path / "out"), EXIT_BAD_VIDEO)
    assert "single" in line
    assert "1 frame" in line
    assert not (tmp_path / "out").exists()


def test_frames_beyond_the_end_of_the_video(motion324, bending, tmp_path):
    done = motion324("animate", bending.mesh, bending.video, "-o", tmp_path / "out", "--frames", "500:600")
    assert "500:600" in refusal(done, EXIT_BAD_VIDEO)
    assert not (tmp_path / "out").exists()


def test_a_video_without_any_object(motion324, bending, tmp_path):
    (tmp_path / "white").mkdir()
    for index in range(4):
        cv2.imwrite(str(tmp_path / "white" / f"{index}.png"), np.full((128, 128, 3), 255, np.uint8))
    done = motion324("animate", bending.mesh, tmp_path / "white", "-o", tmp_path / "out")
    assert "white" in refusal(done, EXIT_NO_FOREGROUND)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made(motion324, bending, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = refusal(
        motion324("animate", bending.mesh, bending.video, "-o", tmp_path / "file" / "out"), EXIT_CANNOT_WRITE
    )
    assert str(tmp_path / "file") in line
    assert "read" not in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission(motion324, bending, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    line = refusal(motion324("animate", bending.mesh, bending.video, "-o", tmp_path / "locked"), EXIT_CANNOT_WRITE)
    assert "locked" in line
    assert "permission denied" in line


def test_a_disk_that_fills_up(motion324, bending, tmp_path, animated):
    """No file may grow beyond 16 kB, as if the disk had no more; the trajectory is larger.

    `animated` ran before: what numba compiles lies on the disk already.
    """

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, 16 * 1024))

    arguments = ["animate", bending.mesh, bending.video, "-o", tmp_path / "out", "--view", "40,15", "--frames", "0:3"]
    line = refusal(motion324(*arguments, preexec_fn=no_room), EXIT_CANNOT_WRITE)
    assert "no room" in line
    assert "trajectory.npz" in line
    assert not (tmp_path / "out").exists()


def test_a_wrong_option_is_told_before_any_work(motion324, bending, tmp_path):
    done = motion324("animate", bending.mesh, bending.video, "-o", tmp_path / "out", "--view", "sideways")
    assert "view" in refusal(done, EXIT_USAGE)
    assert not (tmp_path / "out").exists()


def test_an_unknown_reconstructor_is_told_with_those_that_exist(motion324, bending, tmp_path):
    done = motion324("animate", bending.mesh, bending.video, "-o", tmp_path / "out", "--reconstructor", "magic")
    line = refusal(done, EXIT_USAGE)
    assert "magic" in line
    assert "deformation-fit" in line


@pytest.mark.long
def test_an_object_that_leaves_the_picture_is_animated_with_a_warning(motion324, bending, tmp_path):
    (tmp_path / "leaving").mkdir()
    for index in range(4):
        image = cv2.imread(str(bending.video / f"frame_{index}.png"))
        shift = np.float32([[1, 0, 35 * index], [0, 1, 0]])
        moved = cv2.warpAffine(image, shift, image.shape[1::-1], borderValue=(255, 255, 255))
        cv2.imwrite(str(tmp_path / "leaving" / f"{index}.png"), moved)
    done = motion324("animate", bending.mesh, tmp_path / "leaving", "-o", tmp_path / "out", "--view", "40,15", *QUICK)
    assert done.returncode == EXIT_OK, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "edge of the picture" in line]
    assert line.startswith("warning: The object touches")
    assert "frame 3" in line


@pytest.mark.long
def test_a_mesh_that_does_not_look_like_the_video_is_warned_of_with_the_number(motion324, bending, tmp_path):
    """A thin needle for the video of a body."""
    (tmp_path / "needle.obj").write_text(
        "v 0 0 0\nv 0.02 0 0\nv 0 0.02 0\nv 0 0 3\nf 1 2 4\nf 2 3 4\nf 3 1 4\nf 1 3 2\n"
    )
    done = motion324("animate", tmp_path / "needle.obj", bending.video, "-o", tmp_path / "out", *QUICK)
    assert done.returncode == EXIT_OK, done.stderr
    assert "warning: The mesh 'needle' does not look like the first frame of" in done.stderr
    assert "overlap by 0." in done.stderr
