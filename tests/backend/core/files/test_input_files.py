"""The files that a job reads are known and kept, and lists of jobs are read from files that people write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from motion324.core.errors import Motion324Error
from motion324.core.files.input_files import InputFile, check_inputs_stay, inputs_of_job, numbered_lines
from motion324.core.options.animate_options import AnimateOptions


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clips" / "dog.mp4"
    path.parent.mkdir()
    path.write_bytes(b"frames")
    return path


def is_refused(target, *inputs):
    try:
        check_inputs_stay([target], inputs)
    except Motion324Error as error:
        assert error.code == "overwrites-input"
        return True
    return False


def test_the_same_file_is_refused_by_whatever_path_and_another_is_not(tmp_path, video, monkeypatch):
    given = InputFile("video", video)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "folder").symlink_to(video.parent, target_is_directory=True)
    os.link(video, tmp_path / "hard.mp4")
    for name in ("clips/dog.mp4", "./clips/../clips/dog.mp4", "link.mp4", "folder/dog.mp4", "hard.mp4"):
        assert is_refused(tmp_path / name, given) and is_refused(Path(name), given), name
    for name in ("clips/cat.mp4", "dog.mp4", "clips/dog_turntable.mp4", "lost/dog.mp4"):
        assert not is_refused(tmp_path / name, given), name
    assert not is_refused(video, InputFile("video", tmp_path / "lost.mp4"))


def test_case_counts_where_it_counts_for_the_file_system(video):
    shouted = video.with_name("DOG.MP4")
    assert is_refused(shouted, InputFile("video", video)) == shouted.exists()


def test_a_file_system_without_case_is_believed(video, monkeypatch):
    monkeypatch.setattr(Path, "samefile", lambda one, other: str(one).lower() == str(other).lower())
    assert is_refused(video.with_name("DOG.MP4"), InputFile("video", video))


def test_an_image_must_not_come_among_the_images_of_a_folder(tmp_path):
    shots = tmp_path / "shots"
    shots.mkdir()
    (shots / "0001.png").write_bytes(b"")
    given = InputFile("video", shots)
    assert is_refused(shots / "0001.png", given) and is_refused(shots / "0002.PNG", given) and is_refused(shots, given)
    assert not is_refused(shots / "turn.mp4", given) and not is_refused(shots / "000" / "0001.png", given)


def test_the_sentence_names_the_output_and_which_input_it_is(tmp_path, video):
    mesh = tmp_path / "dog.glb"
    mesh.write_bytes(b"glTF")
    with pytest.raises(Motion324Error, match=r"'.*dog\.glb' would overwrite the mesh '.*dog\.glb'\. Choose another"):
        check_inputs_stay([tmp_path / "new.mp4", mesh], [InputFile("video", video), InputFile("mesh", mesh)])


def test_a_job_reads_its_mesh_video_masks_and_weights():
    options = AnimateOptions(mask="masks", weights="own.onnx")
    kinds = {each.kind: each.path for each in inputs_of_job(Path("a.glb"), Path("a.mp4"), options)}
    assert kinds == {"mesh": Path("a.glb"), "video": Path("a.mp4"), "masks": Path("masks"), "weights": Path("own.onnx")}
    assert [each.kind for each in inputs_of_job(None, Path("a.mp4"), AnimateOptions(mask="plain"))] == ["video"]


def test_lines_keep_their_numbers_and_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n# a comment\r\n  {"b": "\xe2\x80\xa8"}  ')
    assert numbered_lines(path) == [(1, '{"a": 1}'), (4, '{"b": "\u2028"}')]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"a": 1}'.encode("utf-16"), "it is written in UTF-16; save it as UTF-8"),
        ("\ufeff{}".encode("utf-16-be"), "it is written in UTF-16; save it as UTF-8"),
        ("\ufeff{}".encode("utf-32-le"), "it is written in UTF-32; save it as UTF-8"),
        ('{}\n{"mesh": "füchse"}'.encode("latin-1"), "line 2 is not UTF-8; save it as UTF-8"),
    ],
)
def test_another_encoding_is_named(tmp_path, data, why):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=why):
        numbered_lines(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="it cannot be read: No such file"):
        numbered_lines(tmp_path / "lost.jsonl")
