"""A disk that is full, or that becomes full on the way, costs no file that was there, and no export is called done."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of, body_rig
from addon.shapes import ball, finish, rest
from addon.wobble import wobble

FORMATS = [".fbx", ".glb", ".abc", ".usd", ".pc2", ".mdd"]
FRAMES = 6


@pytest.fixture
def refused(addon):
    """refused(...) is pytest.raises for the errors that people read."""
    from motion324.core.errors import Motion324Error

    return lambda match=None: pytest.raises(Motion324Error, match=match)


@pytest.fixture
def moving(addon):
    obj = ball()
    timing = addon("scene.playing.timing").Timing(1, 1, FRAMES)
    finish(addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), FRAMES), timing))
    return obj


@pytest.fixture
def write(addon, moving, tmp_path):
    """write(suffix) exports six frames of a moving ball, or writes a .blend or an .mp4 in the way of a batch."""

    def pictures():
        paths = []
        for index in range(FRAMES):
            image = bpy.data.images.new("Picture", 64, 64)
            image.pixels.foreach_set(np.random.default_rng(index).random(64 * 64 * 4).astype(np.float32))
            paths.append(tmp_path / "pictures" / f"{index}.png")
            image.filepath_raw, image.file_format = str(paths[-1]), "PNG"
            image.save()
            bpy.data.images.remove(image)
        return paths

    paths = pictures()

    def written(suffix):
        path = tmp_path / f"ball{suffix}"
        if suffix == ".blend":
            addon("scene.exporting.blend_file").save(path, backup=False)
        elif suffix == ".mp4":
            addon("scene.showing.video_encoding").encode_video(paths, path, 24)
        else:
            addon("scene.exporting.export").export(moving, path, 1, FRAMES)
        return path

    return written


@pytest.mark.parametrize("suffix", [*FORMATS, ".blend", ".mp4"])
def test_a_full_disk_leaves_the_good_file_as_it_was(write, full_disk, suffix, refused):
    path = write(suffix)
    good = path.read_bytes()
    beside = sorted(path.parent.iterdir())
    with full_disk(), refused() as caught:
        write(suffix)
    assert caught.value.code == "disk-full"
    assert str(path) in caught.value.sentence
    assert path.read_bytes() == good
    assert sorted(path.parent.iterdir()) == beside


@pytest.mark.parametrize("filled_meanwhile", [False, True])
@pytest.mark.parametrize("ending", [".glb", ".fbx", ".blend"])
def test_a_full_disk_leaves_the_good_rig_as_it_was(
    addon, tmp_path, full_disk, monkeypatch, refused, ending, filled_meanwhile
):
    obj, _ = body_rig(modes=("QUATERNION",) * 7)
    path = tmp_path / f"body{ending}"
    path.write_bytes(b"good old file")
    if filled_meanwhile:
        monkeypatch.setattr(addon("scene.exporting.proof"), "reserve", lambda *arguments: None)
    with full_disk(), refused("body") as caught:
        addon("scene.exporting.rig_export").export_rig(obj, path, 1, FRAMES)
    assert caught.value.exit_code == 6 and "body" in caught.value.sentence and "unfinished" not in caught.value.sentence
    assert [each.name for each in tmp_path.iterdir()] == [path.name] and path.read_bytes() == b"good old file"


def test_a_blend_whose_point_cache_has_no_room_is_the_one_from_before(addon, moving, tmp_path, monkeypatch):
    """It is saved twice, before there is a cache and with it."""
    outputs, path = addon("batch.item_outputs"), tmp_path / "ball.blend"
    outputs.blend_file.save(path)
    good, whole = path.read_bytes(), outputs.blend_file.save
    keep, saves = outputs.keeping.keep_as_point_cache, []

    def full(what, failing):
        def write(*arguments, **more):
            saves.append(what)
            if len(saves) == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return {"save": whole, "keep": keep}[what](*arguments, **more)

        return write

    for failing in (1, 2, 3):
        saves.clear()
        monkeypatch.setattr(outputs.blend_file, "save", full("save", failing))
        monkeypatch.setattr(outputs.keeping, "keep_as_point_cache", full("keep", failing))
        result = animation_of(addon, moving, wobble(rest(moving), FRAMES))
        with pytest.raises(OSError, match="No space"):
            outputs.keep(SimpleNamespace(keep="POINT_CACHE", outputs={"blend": path}), result)
        assert saves == ["save", "keep", "save"][:failing]
        assert path.read_bytes() == good
        assert {each.name for each in tmp_path.iterdir()} - {"ball.blend1"} == {"ball.blend"}


@pytest.mark.parametrize("kept", [0, 20, 200])
def test_a_picture_that_blender_cut_short_in_silence_is_told(addon, tmp_path, monkeypatch, refused, kept):
    picture_file = addon("scene.exporting.picture_file")
    image = bpy.data.images.new("Picture", 64, 64)
    image.filepath_raw, image.file_format = str(tmp_path / "a.png"), "PNG"
    with picture_file.whole_picture(tmp_path / "a.png"):
        image.save()
    whole = (tmp_path / "a.png").read_bytes()
    assert len(whole) > kept
    silent = refused("Blender could not write the picture .*a.png': it does not say why")
    with silent, picture_file.whole_picture(tmp_path / "a.png"):
        (tmp_path / "a.png").write_bytes(whole[:kept])
    with refused("could not write .*a.png': Cannot do that"), picture_file.whole_picture(tmp_path / "a.png"):
        raise RuntimeError("Error: Cannot do that")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with refused("has no room for .*a.png"), picture_file.whole_picture(tmp_path / "a.png"):
        pass


# Without .abc, whose file in memory is limited by this, too; see the next test.
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usd", ".pc2", ".mdd", ".blend", ".mp4"])
def test_a_disk_that_fills_while_it_is_written_leaves_the_good_file_as_it_was(
    addon, write, full_disk, monkeypatch, suffix, refused
):
    path = write(suffix)
    good = path.read_bytes()
    beside = sorted(path.parent.iterdir())
    for room in ("scene.exporting.export", "scene.showing.video_encoding", "scene.exporting.proof"):
        monkeypatch.setattr(addon(room), "reserve", lambda *arguments: None)
    with full_disk(len(good) // 2), refused() as caught:
        write(suffix)
    assert caught.value.exit_code == 6
    assert path.read_bytes() == good
    assert sorted(path.parent.iterdir()) == beside


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_alembic_survives_a_disk_that_another_program_fills_meanwhile(addon, moving, tmp_path, monkeypatch, refused):
    """Blender's exporter would end this process, if it met the full disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs '{disk}' 2>/dev/null"):
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        (disk / "ball.abc").write_bytes(b"good old file")
        filled = lambda *arguments: (disk / "other").write_bytes(b"x" * 57_000)  # noqa: E731
        monkeypatch.setattr(addon("scene.exporting.export"), "reserve", filled)
        with refused() as caught:
            addon("scene.exporting.export").export(moving, disk / "ball.abc", 1, FRAMES)
        assert caught.value.code == "disk-full"
        assert (disk / "ball.abc").read_bytes() == b"good old file"
        assert len(list(disk.iterdir())) == 2
    finally:
        os.system(f"umount '{disk}'")


def test_a_file_that_memory_has_no_room_for_is_written_to_the_disk_at_once(addon, tmp_path, monkeypatch):
    memory_file = addon("scene.exporting.memory_file")
    for available, there in ((4000, False), (3999, True)):
        monkeypatch.setattr(memory_file, "available_memory", lambda free=available: free)
        with memory_file.in_memory_first(tmp_path / "a.abc", 1000) as target:
            target.write_bytes(b"some bytes")
            assert (target == tmp_path / "a.abc") == there
        assert (tmp_path / "a.abc").read_bytes() == b"some bytes"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_small_disk_refuses_the_export_and_keeps_its_files(addon, moving, tmp_path, suffix, refused):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs '{disk}' 2>/dev/null"):
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        (disk / f"ball{suffix}").write_bytes(b"good old file")
        (disk / "other").write_bytes(b"x" * 57_000)
        with refused("has no room for"):
            addon("scene.exporting.export").export(moving, disk / f"ball{suffix}", 1, FRAMES)
        assert (disk / f"ball{suffix}").read_bytes() == b"good old file"
        assert len(list(disk.iterdir())) == 2
    finally:
        os.system(f"umount '{disk}'")


def test_free_space_is_looked_at_before_anything_is_written(addon, moving, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    monkeypatch.setattr(addon("scene.exporting.export"), "_export_glb", lambda *arguments: pytest.fail("it began"))
    with refused() as caught:
        addon("scene.exporting.export").export(moving, tmp_path / "ball.glb", 1, FRAMES)
    assert caught.value.code == "disk-full"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [*FORMATS, ".blend", ".mp4"])
def test_a_file_that_is_cut_short_is_noticed(addon, write, suffix, part):
    path = write(suffix)
    proof = addon("scene.exporting.proof")
    frames = None if suffix in (".blend", ".mp4") else FRAMES
    proof.check_whole(path, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(proof.Broken):
        proof.check_whole(path, frames)


def test_an_alembic_that_was_not_closed_is_noticed(addon, write):
    path = write(".abc")
    proof = addon("scene.exporting.proof")
    with path.open("rb+") as file:
        file.seek(5)
        file.write(b"\0")
    with pytest.raises(proof.Broken, match="not written to its end"):
        proof.check_whole(path)


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".pc2", ".mdd"])
def test_frames_that_are_missing_are_noticed(addon, write, suffix):
    path = write(suffix)
    proof = addon("scene.exporting.proof")
    with pytest.raises(proof.Broken, match=r"6 of 7 frames|not 7 frames"):
        proof.check_whole(path, FRAMES + 1)


@pytest.mark.parametrize(
    "suffix", [".glb", *(pytest.param(each, marks=pytest.mark.long) for each in FORMATS if each != ".glb")]
)
def test_a_file_far_smaller_than_expected_takes_no_place(addon, moving, tmp_path, suffix, refused):
    """Such as a whole one of another object."""
    large = ball("Large", segments=256)
    export = addon("scene.exporting.export")
    export.export(moving, tmp_path / f"ball{suffix}", 1, FRAMES)
    expected = addon("scene.exporting.export_size").expected([large], suffix, 1, FRAMES)
    with refused("cannot have less than"):
        addon("scene.exporting.proof").proven(tmp_path / "x", tmp_path / f"ball{suffix}", expected)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_object_that_does_not_move_is_no_broken_export(addon, tmp_path, suffix):
    addon("scene.exporting.export").export(ball(segments=32), tmp_path / f"ball{suffix}", 1, 40)
    assert (tmp_path / f"ball{suffix}").stat().st_size > 0
