"""Training data in the published layout: what a sample holds, tar shards, and what happens to broken clips."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import tarfile
import time
from dataclasses import replace

import numpy as np
import pytest
from small_training import tiny_config, write_training_release

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.core.errors import Motion324Error  # noqa: E402
from motion324.training.clips.motion_batch import (  # noqa: E402
    Shares,
    as_batch,
    draws_for,
    item_for,
)
from motion324.training.clips.release_files import INDEX, pack  # noqa: E402
from motion324.training.clips.release_loader import ReleaseSource, read_in_order, read_release  # noqa: E402
from motion324.training.clips.release_samples import BrokenSample, read_sample  # noqa: E402
from motion324.training.clips.sample_sources import measured_batches  # noqa: E402
from motion324.training.clips.synthetic_clips import VALIDATION_SEED  # noqa: E402
from motion324.training.pack_release import main as pack_command  # noqa: E402
from motion324.training.shared.processes import Processes  # noqa: E402


@pytest.fixture
def release(tmp_path):
    write_training_release(tmp_path / "release")
    return tmp_path / "release"


def dataset(root, tmp_path, seed=0, **data):
    config = tiny_config(root, tmp_path / "out")
    return read_release(config.release, replace(config.data, **data), "train.txt", seed)


def test_a_sample_follows_its_points_through_the_window(release, tmp_path):
    found = dataset(release, tmp_path)
    for number in range(8):
        sample = found[number]
        assert sample.video.shape == (3, 32, 32, 3)
        assert sample.video.dtype == np.uint8
        assert sample.surface.shape == (40, 9)
        assert np.array_equal(sample.points[:, :3], sample.targets[0])
        assert np.allclose(np.linalg.norm(sample.points[:, 3:6], axis=1), 1, atol=1e-5)
        # All on the boxes' surfaces in normalised space, where the first has the sides 1/3, 2/3 and 1.
        half = np.array([1 / 6, 1 / 3, 1 / 2])
        first = np.abs(sample.targets[0])
        assert (first <= half + 1e-5).all()
        assert np.isclose(first, half, atol=1e-5).any(axis=1).all()
        growth = np.ptp(sample.targets[:, :, 2], axis=1)
        assert (np.diff(growth) > 0).all()  # the boxes grow from frame to frame


def frame_numbers(sample):
    """The blue of the pictures tells them."""
    return np.rint((sample.video[..., 2].reshape(len(sample.video), -1).max(axis=1) - 40) / 20)


def test_pictures_and_positions_are_of_the_same_frames(release, tmp_path):
    found = dataset(release, tmp_path)
    for number in range(8):
        frames = frame_numbers(found[number])
        sizes = np.ptp(found[number].targets[:, :, 2], axis=1)
        assert np.allclose(sizes / sizes[0], (1 + 0.05 * frames) / (1 + 0.05 * frames[0]), atol=1e-4)


def test_strides_are_drawn_as_often_as_their_weights_say(release, tmp_path):
    found = dataset(release, tmp_path)
    steps = np.array([np.diff(frame_numbers(found[number])) for number in range(200)])
    assert (steps[:, 0] == steps[:, 1]).all()
    shares = [(steps[:, 0] == stride).mean() for stride in (1, 2, 4)]
    assert np.allclose(shares, (0.4, 0.4, 0.2), atol=0.1)


def test_frames_that_are_black_in_full_are_passed_over(tmp_path):
    write_training_release(tmp_path / "release", black=(3, 4))
    found = dataset(tmp_path / "release", tmp_path)
    assert all(found[number].video.any(axis=(1, 2, 3)).all() for number in range(12))
    write_training_release(tmp_path / "black", black=tuple(range(8)))
    with pytest.raises(Motion324Error, match="not black in full"):
        dataset(tmp_path / "black", tmp_path)[0]


def test_the_order_takes_every_clip_once_in_a_round_and_is_another_in_the_next():
    rounds = [[item_for(5, number, 40) for number in range(40 * r, 40 * r + 40)] for r in range(2)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == list(range(40))
    assert rounds[0] != rounds[1]
    assert draws_for(1, 2).random() != draws_for(1, 3).random()


def test_processes_share_the_numbers_of_a_step_among_them():
    for count, at_once in ((1, 2), (2, 3), (3, 4), (4, 1)):
        taken = [n for rank in range(count) for part in Shares(24, at_once, rank, count).numbers(5) for n in part]
        assert sorted(taken) == list(range(120, 144))


def test_shards_hold_the_same_samples_as_the_folder(release, tmp_path, capsys):
    shards = pack(release, tmp_path / "shards", ["train.txt", "validation.txt"], shard_bytes=30_000)
    assert len(shards) > 1
    folder, packed = dataset(release, tmp_path), dataset(tmp_path / "shards", tmp_path)
    assert packed.clips == folder.clips
    for number in range(9):
        expected, sample = folder[number], packed[number]
        assert sample.name == expected.name
        for part in ("video", "surface", "points", "targets"):
            assert np.array_equal(getattr(sample, part), getattr(expected, part))
    assert pack_command([str(release), str(tmp_path / "again"), "train.txt"]) == 0
    assert "1 shard" in capsys.readouterr().out
    assert dataset(tmp_path / "again", tmp_path)[0].name == folder[0].name
    assert pack_command([str(release), str(tmp_path / "again"), "lost.txt"]) == 2


def test_a_broken_clip_is_replaced_and_told_of(release, tmp_path):
    (release / "pcds" / "box1_pointclouds" / "faces.npy").write_bytes(b"nothing")
    found = dataset(release, tmp_path)
    batch = as_batch(read_in_order(found, range(8)))
    assert len(batch.broken) >= 2
    assert all(sentence.startswith("box1: ") for sentence in batch.broken)
    assert "box1" not in batch.names


def test_a_broken_clip_is_not_measured_by_another_in_its_place(release, tmp_path):
    (release / "pcds" / "box0_pointclouds" / "faces.npy").write_bytes(b"nothing")
    config = tiny_config(release, tmp_path / "out")
    config = replace(config, validation=replace(config.validation, every=1, samples=3))
    here = Processes(0, 1, torch.device("cpu"))
    batches = measured_batches(config, Shares(4, 2), here)
    assert [len(one.batch) for one in batches] == [2, 2]
    assert all(name == "box3" for one in batches for name in one.batch.names)
    replaced = [name != "box0" for name in clips_by_number(config, 4)]
    assert [bool(value) for one in batches for value in one.counted] == [*replaced[:3], False]
    assert not all(replaced[:3])
    assert any(text.startswith("box0: ") for one in batches for text in one.batch.broken)


def clips_by_number(config, count):
    found = read_release(config.release, config.data, "validation.txt", VALIDATION_SEED)
    return [found.clips[item_for(VALIDATION_SEED, number, len(found.clips))] for number in range(count)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "frame_0003.npy").unlink(), None),
        (lambda folder: (folder / "uv_face_texture.npz").unlink(), "uv_face_texture.npz"),
        (lambda folder: np.save(folder / "faces.npy", np.array([[0, 1, 99]])), "vertices that its 8 do not have"),
        (lambda folder: [np.save(path, np.full((8, 3), np.nan)) for path in folder.glob("frame*")], "not finite"),
        (lambda folder: [np.save(path, np.zeros((8, 3))) for path in folder.glob("frame*")], "no extent"),
        (lambda folder: [path.unlink() for path in folder.glob("frame_000[2-9]*")], "2 frames"),
    ],
)
def test_what_is_wrong_with_a_clip_is_said(release, tmp_path, damage, words):
    damage(release / "pcds" / "box0_pointclouds")
    found = dataset(release, tmp_path)
    arguments = (found.files, "box0", found.data, found.config, draws_for(0, 0))
    if words is None:
        assert read_sample(*arguments).name == "box0"
        return
    with pytest.raises(BrokenSample, match=words) as refused:
        read_sample(*arguments)
    assert str(refused.value).startswith("box0: ")


def damaged_header(shard, at, index):
    shard[at : at + 512] = bytes(range(256)) * 2


def huge_list(shard, at, index):
    member = tarfile.TarInfo("clips/box0.json")
    member.size = 7 << 30
    shard[at : at + 512] = member.tobuf(tarfile.USTAR_FORMAT)


def list_of_nothing(shard, at, index):
    shard[at + 512 : at + 514] = b"[]"
    size = tarfile.TarInfo("clips/box0.json")
    size.size = 2
    shard[at : at + 512] = size.tobuf(tarfile.USTAR_FORMAT)


def no_such_shard(shard, at, index):
    index["clips"]["box0"] = [5, at]


@pytest.mark.parametrize("damage", [damaged_header, huge_list, list_of_nothing, no_such_shard])
def test_what_is_wrong_with_a_shard_is_said_of_the_clip(release, tmp_path, damage):
    shard = pack(release, tmp_path / "shards", ["train.txt"])[0]
    index = json.loads((tmp_path / "shards" / INDEX).read_text())
    content = bytearray(shard.read_bytes())
    damage(content, index["clips"]["box0"][1], index)
    shard.write_bytes(content)
    (tmp_path / "shards" / INDEX).write_text(json.dumps(index))
    found = dataset(tmp_path / "shards", tmp_path)
    assert read_sample(found.files, "box1", found.data, found.config, draws_for(0, 0)).name == "box1"
    with pytest.raises(BrokenSample, match=r"^box0: .*shard"):
        read_sample(found.files, "box0", found.data, found.config, draws_for(0, 0))
    assert read_sample(found.files, "box1", found.data, found.config, draws_for(0, 0)).name == "box1"


def test_listed_clips_without_files_are_not_packed_but_named(release, tmp_path, capsys):
    shutil.rmtree(release / "pcds" / "box2_pointclouds")
    with (release / "train.txt").open("a") as names:
        names.write("ghost\n")
    assert pack_command([str(release), str(tmp_path / "shards"), "train.txt"]) == 2
    assert "2 of the 5 listed clips" in (told := capsys.readouterr().err) and "box2, ghost." in told
    assert not (tmp_path / "shards").exists()


def test_missing_data_are_refused_by_name(release, tmp_path):
    with pytest.raises(Motion324Error, match="no folder"):
        dataset(tmp_path / "lost", tmp_path)
    (release / "train.txt").write_text("\n")
    with pytest.raises(Motion324Error, match=r"train\.txt' is empty"):
        dataset(release, tmp_path)


def test_reading_processes_give_the_same_batches_in_the_same_order(release, tmp_path):
    config = tiny_config(release, tmp_path / "out")
    here = Processes(0, 1, torch.device("cpu"))
    batches = {}
    for workers in (0, 1):
        part = replace(config.release, workers=workers)
        source = ReleaseSource(read_release(part, config.data, "train.txt", 0), Shares(4, 2), 3, here)
        try:
            batches[workers] = [source.next() for _ in range(3)]
        finally:
            source.close()
    for expected, found in zip(batches[0], batches[1], strict=True):
        assert found.names == expected.names
        assert all(torch.equal(value, expected.tensors()[name]) for name, value in found.tensors().items())


def test_a_reading_process_that_waits_for_a_file_is_ended_with_the_source(release, tmp_path, monkeypatch):
    """The file is a pipe that nobody writes to, in the place of a network disk that does not answer."""
    (release / "train.txt").write_text("box0\n")
    pipe = release / "pcds" / "box0_pointclouds" / "faces.npy"
    pipe.unlink()
    os.mkfifo(pipe)
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.1)
    config = tiny_config(release, tmp_path / "out")
    found = read_release(replace(config.release, workers=1), config.data, "train.txt", 0)
    source = ReleaseSource(found, Shares(4, 2), 0, Processes(0, 1, torch.device("cpu")))
    (reader,) = multiprocessing.active_children()
    try:
        deadline, end = time.monotonic() + 60, None
        while end is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # until the reader has come to the file
                end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.02)
        source.close()
        reader.join(10)
        assert reader.exitcode == -signal.SIGKILL
        os.close(end)
    finally:
        reader.kill()


def test_a_source_whose_clips_are_all_broken_says_so(release, tmp_path):
    for path in release.glob("pcds/*/faces.npy"):
        path.unlink()
    config = tiny_config(release, tmp_path / "out")
    found = read_release(replace(config.release, workers=0), config.data, "train.txt", 0)
    source = ReleaseSource(found, Shares(4, 2), 0, Processes(0, 1, torch.device("cpu")))
    with pytest.raises(Motion324Error, match="too many samples are broken: 50 clips in a row") as refused:
        source.next()
    assert str(refused.value).count("broken") == 1
