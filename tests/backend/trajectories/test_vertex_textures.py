"""Vertex animation textures, decoded as a shader does: from the files alone, by other readers than what wrote them."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import cv2
import numpy as np
import OpenEXR
import pygltflib
import pytest
from gltf_validator import issues, needs_validator

from motion324.cli.main import main
from motion324.core.errors import Motion324Error
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.files.vertex_textures import Layout
from motion324.core.motion.edited_motion import EditedMotion
from motion324.core.motion.root_motion import root_motion_of
from motion324.core.options.engine_settings import VertexTextures
from motion324.core.reference_mesh import ReferenceMesh, turned_y_up
from motion324.core.result import AnimationResult
from motion324.core.view import View
from motion324.mesh.files.gltf_writing import write_glb
from motion324.mesh.surface import moving_normals
from motion324.trajectories.texture_files import write_texture_files


def read_picture(path):
    """(H, W, 3) float64, as a shader samples it; by OpenEXR and OpenCV."""
    if path.suffix == ".exr":
        return OpenEXR.File(str(path)).channels()["RGB"].pixels.astype(np.float64)
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1] / 65535.0


def decoded(description):
    """What the files say: positions and normals (T, M, 3) of the GLB's own vertices, sampled at their second texture
    coordinates."""
    said = json.loads(description.read_text())
    file = pygltflib.GLTF2().load_binary(str(description.with_name(said["mesh"])))
    (primitive, *_) = file.meshes[0].primitives

    def array(number, width):
        accessor, view = file.accessors[number], file.bufferViews[file.accessors[number].bufferView]
        return np.frombuffer(file.binary_blob(), np.float32, accessor.count * width, view.byteOffset).reshape(-1, width)

    uv, mesh = array(primitive.attributes.TEXCOORD_1, 2), array(primitive.attributes.POSITION, 3)
    width, height = said["size"]
    found = {}
    for name in ("position", "normal"):
        entry = said[name]
        picture = read_picture(description.with_name(entry["file"]))
        assert picture.shape == (height, width, 3)
        frames = []
        for frame in range(said["frames"]):
            v = uv[:, 1].astype(np.float64) + frame * said["rows_per_frame"] / height
            samples = picture[np.floor(v * height).astype(int), np.floor(uv[:, 0] * width).astype(int)]
            frames.append(samples * entry["scale"] + entry["bias"])
        found[name] = np.array(frames)
    return SimpleNamespace(
        said=said, file=file, uv=uv, mesh=mesh, positions=mesh + found["position"], normals=found["normal"]
    )


@pytest.fixture
def moving(box):
    """(9, 8, 3): the box bends and travels a little."""
    time = np.arange(9)[:, None, None]
    return (box.positions + 0.4 * np.sin(time / 2 + box.positions[:, [1, 2, 0]])).astype(np.float32)


def painted(box):
    """The same with texture coordinates of their own for every face, which split its vertices."""
    return dataclasses.replace(box, corner_uv=np.random.default_rng(0).random((12, 3, 2)).astype(np.float32))


@pytest.mark.parametrize("up", ["Y", "Z"])
@pytest.mark.parametrize(("pictures", "limit"), [("png", 1e-5), ("exr", 1e-4)])
def test_decoded_positions_are_the_trajectory(tmp_path, box, moving, pictures, limit, up):
    mesh = dataclasses.replace(painted(box), up=up)
    written = write_texture_files(
        tmp_path / "box.json", mesh, EditedMotion(moving, 24.0, np.arange(9)), VertexTextures(pictures=pictures)
    )
    found = decoded(tmp_path / "box.json")
    truth = turned_y_up(moving, up)
    nearest = np.linalg.norm(found.mesh[:, None] - truth[0], axis=2).argmin(axis=1)
    assert len(nearest) == 36 and len(np.unique(found.uv, axis=0)) == 8
    size = np.ptp(truth[0], axis=0).max()
    error = np.linalg.norm(found.positions - truth[:, nearest], axis=2).max() / size
    assert error < limit
    assert error == pytest.approx(written.largest_error, abs=1e-6)
    normals = turned_y_up(moving_normals(moving, box.faces), up)[:, nearest]
    assert np.abs(found.normals - normals).max() < 5e-4
    np.testing.assert_allclose(found.said["bounds"]["min"], truth.min(axis=(0, 1)), atol=1e-6)
    assert (found.said["frames"], found.said["rate"], found.said["loops"]) == (9, 24.0, False)


@pytest.mark.parametrize("power_of_two", [False, True])
def test_many_vertices_take_several_rows_a_frame_and_the_rest_is_padded(tmp_path, power_of_two):
    side = 15
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    positions = np.c_[grid, np.zeros(len(grid))].astype(np.float32)
    corner = np.array([y * side + x for y in range(side - 1) for x in range(side - 1)])
    faces = np.concatenate([corner[:, None] + [0, 1, side + 1], corner[:, None] + [0, side + 1, side]])
    moving = positions + np.random.default_rng(3).normal(size=(5, len(grid), 3)).astype(np.float32)
    moving[0] = positions
    mesh = ReferenceMesh(positions, faces.astype(np.int32), np.zeros(len(faces), np.int32))
    options = VertexTextures(pictures="png", power_of_two=power_of_two, longest_side=64)
    write_texture_files(tmp_path / "grid.json", mesh, EditedMotion(moving, 30.0, np.arange(5)), options)
    found = decoded(tmp_path / "grid.json")
    assert found.said["rows_per_frame"] == 4 and found.said["vertices_per_row"] == 57
    assert found.said["size"] == ([64, 32] if power_of_two else [57, 20])
    assert np.abs(found.positions - moving).max() < 1e-4
    picture = read_picture(tmp_path / "grid_position.png")
    np.testing.assert_array_equal(picture[3, 54:], np.repeat(picture[3, 53:54], len(picture[3]) - 54, axis=0))
    np.testing.assert_array_equal(picture[19:], np.repeat(picture[19:20], len(picture) - 19, axis=0))


def test_more_frames_than_a_picture_holds_are_refused_with_how_many_it_does():
    with pytest.raises(Motion324Error, match="Use at most 32 frames") as raised:
        Layout.of(40, 100, VertexTextures(longest_side=64))
    assert raised.value.code == "too-large-for-textures"


@pytest.mark.parametrize(("frames", "vertices"), [(29, 7735), (300, 1024), (1, 1), (120, 3000)])
def test_texture_coordinates_of_half_precision_still_meet_their_pixels(frames, vertices):
    """Importers keep them so unless they are told otherwise; seen in Godot 3."""
    layout = Layout.of(frames, vertices, VertexTextures())
    place = layout.uv().astype(np.float16).astype(np.float64) * [layout.width, layout.height]
    column = np.arange(vertices)
    np.testing.assert_array_equal(np.floor(place[:, 0]), column % layout.per_row)
    np.testing.assert_array_equal(np.floor(place[:, 1]), column // layout.per_row)


def test_a_long_motion_of_many_vertices_takes_wide_pictures():
    layout = Layout.of(300, 20000, VertexTextures())
    assert layout.height <= 4096 and layout.width <= 4096 and layout.rows_per_frame == 13
    assert Layout.of(100, 20000, VertexTextures()).width <= 1024


def test_half_floats_far_from_the_mesh_are_warned_of(tmp_path, box, moving):
    far = moving + np.arange(9, dtype=np.float32)[:, None, None]
    motion = EditedMotion(far, 24.0, np.arange(9))
    (warning,) = write_texture_files(tmp_path / "far.json", box, motion, VertexTextures()).warnings
    assert warning["code"] == "coarse-textures" and "PNG" in warning["sentence"]
    assert not write_texture_files(tmp_path / "far.json", box, motion, VertexTextures(pictures="png")).warnings


def test_the_root_carries_the_mesh_in_the_glb(tmp_path, box, moving):
    mesh = dataclasses.replace(box, up="Z")
    root = root_motion_of(moving + np.linspace(0, 3, 9, dtype=np.float32)[:, None, None], "Z")
    motion = EditedMotion(moving, 24.0, np.arange(9), root=root)
    write_texture_files(tmp_path / "box.json", mesh, motion, VertexTextures())
    file = decoded(tmp_path / "box.json").file
    (animation,) = file.animations
    paths = {channel.target.path: animation.samplers[channel.sampler] for channel in animation.channels}
    assert set(paths) == {"translation", "rotation"}
    accessor = file.accessors[paths["translation"].output]
    view = file.bufferViews[accessor.bufferView]
    places = np.frombuffer(file.binary_blob(), np.float32, accessor.count * 3, view.byteOffset).reshape(-1, 3)
    np.testing.assert_allclose(places, turned_y_up(root.matrices()[:, :3, 3], "Z"), atol=1e-5)


@pytest.fixture
def result(tmp_path, box, moving):
    """The folder of a job, whose mesh is Z up as Blender's, and the mesh's file."""
    folder = tmp_path / "result"
    folder.mkdir()
    view = View(np.eye(3), np.array([0.0, 0, 3]), 1.2, (0.5, 0.5))
    save_trajectory(folder / "trajectory.npz", AnimationResult(moving, np.arange(9) + 100, 24.0, view), box.faces)
    (folder / "report.json").write_text(json.dumps({"mesh": {"name": "box/1", "up": "Z"}}))
    write_glb(tmp_path / "box.glb", dataclasses.replace(painted(box), positions=moving[0]))
    return folder


def test_vat_writes_a_folder_for_engines(tmp_path, result, moving, capsys):
    more = ["--pictures", "png", "--power-of-two", "--json", "--clip", "2:"]
    assert main(["vat", str(result), "-o", str(tmp_path / "out"), *more]) == 0
    told = json.loads(capsys.readouterr().out)
    names = ["box_1.glb", "box_1.json", "box_1_normal.png", "box_1_position.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert told["frames"] == 7 and told["largest_error"] < 1e-5
    found = decoded(tmp_path / "out" / "box_1.json")
    truth = turned_y_up(moving[2:], "Z")
    nearest = np.linalg.norm(found.mesh[:, None] - truth[0], axis=2).argmin(axis=1)
    np.testing.assert_allclose(found.positions, truth[:, nearest], atol=1e-4)


def test_vat_takes_materials_from_the_mesh_and_refuses_another_one(tmp_path, result, box, capsys):
    assert main(["vat", str(result), "-o", str(tmp_path / "out"), "--mesh", str(tmp_path / "box.glb")]) == 3
    assert "its first frame is another mesh" in capsys.readouterr().err  # the GLB's vertices are split
    (tmp_path / "box.obj").write_text(
        "\n".join([f"v {x} {y} {z}" for x, y, z in np.load(result / "trajectory.npz")["positions"][0]])
        + "\nvt 0 0\nvt 1 0\nvt 0 1\n"
        + "\n".join(f"f {a + 1}/1 {b + 1}/2 {c + 1}/3" for a, b, c in box.faces)
    )
    assert (
        main(["vat", str(result), "-o", str(tmp_path / "out"), "--mesh", str(tmp_path / "box.obj"), "--name", "a"]) == 0
    )
    assert decoded(tmp_path / "out" / "a.json").file.meshes[0].primitives[0].attributes.TEXCOORD_0 is not None


def test_retime_writes_the_result_anew(tmp_path, result, moving, capsys):
    assert main(["retime", str(result), "-o", str(tmp_path / "out"), "--clip", "1:8", "--resample", "48"]) == 0
    assert "13 frames at 48 a second" in capsys.readouterr().out
    with np.load(tmp_path / "out" / "trajectory.npz") as found:
        np.testing.assert_allclose(found["positions"][::2], moving[1:8], atol=1e-6)
        assert found["fps"] == 48 and found["frame_numbers"][0] == 101 and found["frame_numbers"][-1] == 107
    assert json.loads((tmp_path / "out" / "retime.json").read_text())["frames"] == 13


def test_retime_tells_how_large_the_step_of_a_loop_was(tmp_path, result, capsys):
    assert main(["retime", str(result), "-o", str(tmp_path / "out"), "--loop", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["loop"]["frames"] == told["frames"] and told["loop"]["step"] > 0


@pytest.mark.parametrize("command", ["vat", "retime"])
def test_what_cannot_be_read_or_would_be_overwritten_is_told(tmp_path, result, command, capsys):
    assert main([command, str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 3
    assert "none" in capsys.readouterr().err
    assert main([command, str(result), "-o", str(tmp_path / "out"), "--clip", "8:"]) == 2
    assert "must leave at least 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_retime_does_not_overwrite_the_result_that_it_reads(result, capsys):
    assert main(["retime", str(result), "-o", str(result)]) == 6
    assert "would overwrite the result" in capsys.readouterr().err
    assert main(["retime", str(result), "-o", str(result / "in"), "--root-motion", "root"]) == 2


@pytest.mark.long
@needs_validator
@pytest.mark.parametrize("uv", [False, True])
def test_khronos_validator_finds_no_fault_in_the_mesh(tmp_path, box, moving, uv):
    root = root_motion_of(moving, "Y")
    motion = EditedMotion(moving, 24.0, np.arange(9), root=root)
    write_texture_files(tmp_path / "box.json", painted(box) if uv else box, motion, VertexTextures())
    assert issues(tmp_path / "box.glb") == []
