"""PC2 files: what is written is read back, and a reader never sees a count without its data."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.point_cache import HEADER, Pc2Writer, read_pc2, write_pc2


def some_positions(frames=4, vertices=5, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, vertices, 3)).astype(np.float32)


def test_a_written_cache_is_read_back_exactly(tmp_path):
    positions = some_positions()
    write_pc2(tmp_path / "a.pc2", positions, start=3.0, sample_rate=2.0)
    cache = read_pc2(tmp_path / "a.pc2")
    np.testing.assert_array_equal(cache.positions, positions)
    assert (cache.start, cache.sample_rate) == (3.0, 2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pc2"]


def test_the_layout_is_the_one_that_blender_reads(tmp_path):
    positions = some_positions(2, 1)
    write_pc2(tmp_path / "a.pc2", positions, start=1.0)
    expected = b"POINTCACHE2\0" + struct.pack("<iiffi", 1, 1, 1.0, 1.0, 2) + positions.tobytes()
    assert (tmp_path / "a.pc2").read_bytes() == expected


def test_a_reader_sees_whole_frames_at_any_time_while_the_cache_grows(tmp_path):
    positions = some_positions(6)
    path = tmp_path / "growing.pc2"
    with Pc2Writer(path, 5) as writer:
        assert len(read_pc2(path).positions) == 0
        for frame in range(6):
            writer.append(positions[frame : frame + 1])
            np.testing.assert_array_equal(read_pc2(path).positions, positions[: frame + 1])


def test_the_count_waits_for_a_missing_frame(tmp_path):
    positions = some_positions(4)
    path = tmp_path / "gap.pc2"
    with Pc2Writer(path, 5) as writer:
        writer.write([0, 2, 3], positions[[0, 2, 3]])
        assert len(read_pc2(path).positions) == 1
        writer.write([1], positions[[1]])
        np.testing.assert_array_equal(read_pc2(path).positions, positions)


def test_refined_frames_replace_earlier_ones(tmp_path):
    first, refined = some_positions(3, seed=1), some_positions(3, seed=2)
    path = tmp_path / "refined.pc2"
    with Pc2Writer(path, 5) as writer:
        writer.append(first)
        writer.write([1], refined[[1]])
    np.testing.assert_array_equal(read_pc2(path).positions, np.stack([first[0], refined[1], first[2]]))


def test_data_that_no_count_covers_yet_is_not_read(tmp_path):
    path = tmp_path / "a.pc2"
    write_pc2(path, some_positions(3))
    with path.open("ab") as file:
        file.write(b"\0" * 30)
    assert read_pc2(path).positions.shape == (3, 5, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"POINTCACHE2\0" + b"\0" * 5, "is not a PC2"),
        (b"something else, and long enough to hold a header", "is not a PC2"),
        (HEADER.pack(b"POINTCACHE2\0", 2, 1, 0, 1, 0), "version 2"),
        (HEADER.pack(b"POINTCACHE2\0", 1, 0, 0, 1, 0), "counts 0 points"),
        (HEADER.pack(b"POINTCACHE2\0", 1, 4, 0, 1, 2) + b"\0" * 48, "cut short"),
    ],
)
def test_a_broken_cache_is_refused_with_its_name_and_the_reason(tmp_path, content, reason):
    path = tmp_path / "broken.pc2"
    path.write_bytes(content)
    with pytest.raises(Motion324Error, match=reason) as caught:
        read_pc2(path)
    assert caught.value.code == "point-cache-unreadable"
    assert "broken.pc2" in caught.value.sentence


def test_a_missing_cache_is_refused_with_its_name(tmp_path):
    with pytest.raises(Motion324Error, match=r"missing\.pc2"):
        read_pc2(tmp_path / "missing.pc2")


def test_a_full_disk_is_named_and_leaves_the_former_file(tmp_path, full_disk):
    path = tmp_path / "a.pc2"
    write_pc2(path, some_positions(seed=1))
    before = path.read_bytes()
    with full_disk(), pytest.raises(Motion324Error) as caught:
        write_pc2(path, some_positions(frames=50, seed=2))
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_CANNOT_WRITE)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pc2"]


def test_positions_of_another_shape_are_refused(tmp_path):
    with Pc2Writer(tmp_path / "a.pc2", 5) as writer, pytest.raises(ValueError, match="positions"):
        writer.append(some_positions(1, vertices=6))
