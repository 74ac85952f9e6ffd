"""Which of a glTF file's nodes are seen, where they stand, and which way their faces are turned."""

from __future__ import annotations

import time

import numpy as np
import pytest
from glb_builder import CORNERS, Glb, quad_glb

from motion324.core.errors import Motion324Error
from motion324.mesh.files.reading import read_mesh


def normals(mesh) -> np.ndarray:
    corners = mesh.positions[mesh.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def at(*place: float) -> np.ndarray:
    return np.array(place)


def hidden(visible: bool = False) -> dict:
    return {"extensions": {"KHR_node_visibility": {"visible": visible}}}


def test_instances_stand_at_their_places_turned_and_sized(tmp_path):
    glb = quad_glb()
    half = np.sqrt(0.5)
    turns = np.array([[0, 0, 0, 1], [0, 0, half, half], [0, 0, 0, 1]])
    attributes = {
        "TRANSLATION": glb.accessor(np.array([[0, 0, 0], [5, 0, 0], [0, 7, 0]], np.float32)),
        "ROTATION": glb.accessor(np.rint(turns * 32767).astype(np.int16), normalized=True),
        "SCALE": glb.accessor(np.array([[1, 1, 1], [2, 2, 2], [-1, 1, 1]], np.float32)),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    glb.header["nodes"] = [{"mesh": 0, "translation": [10, 0, 0], "extensions": extensions}]
    glb.header["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    mesh = read_mesh(glb.write(tmp_path / "three.glb"))
    turned = np.stack([-2 * CORNERS[:, 1], 2 * CORNERS[:, 0], CORNERS[:, 2]], axis=1)
    expected = [CORNERS, turned + at(5, 0, 0), CORNERS * [-1, 1, 1] + at(0, 7, 0)]
    np.testing.assert_allclose(mesh.positions, np.concatenate(expected) + at(10, 0, 0), atol=1e-3)
    assert len(mesh.faces) == 6 and (normals(mesh)[:, 2] > 0).all()


def test_hidden_nodes_are_left_out_with_all_below_them(tmp_path):
    glb = quad_glb()
    glb.header["nodes"] = [
        {"mesh": 0, "translation": [9, 0, 0], "children": [1], **hidden()},
        {"mesh": 0, "translation": [0, 9, 0], **hidden(True)},  # its parent is hidden
        {"mesh": 0, **hidden(True)},
    ]
    glb.header["scenes"] = [{"nodes": [0, 2]}]
    np.testing.assert_array_equal(read_mesh(glb.write(tmp_path / "one.glb")).positions, CORNERS)
    glb.header["nodes"].pop()
    glb.header["scenes"] = [{"nodes": [0]}]
    with pytest.raises(Motion324Error, match=r"All 2 meshes of the file .* are hidden") as caught:
        read_mesh(glb.write(tmp_path / "none.glb"))
    assert caught.value.code == "mesh-empty"


@pytest.mark.parametrize(
    ("scene", "scenes", "why"),
    [
        (0, [{"nodes": []}, {"nodes": [0], "name": "studio"}], "shows no mesh; scene 1 'studio' was read instead"),
        (0, [{}, {"nodes": [0]}], "shows no mesh; scene 1 was read instead"),
        (7, [{"nodes": [0]}], "(number 7) does not exist; scene 0 was read instead"),
        (-1, [{"nodes": [0]}], "(number -1) does not exist; scene 0 was read instead"),
        (0, [{"nodes": []}], "shows no mesh, nor does another scene; all nodes were read"),
    ],
)
def test_default_scene_that_is_empty_or_missing_is_told(tmp_path, scene, scenes, why):
    glb = quad_glb()
    glb.header |= {"scene": scene, "scenes": scenes}
    mesh = read_mesh(glb.write(tmp_path / "scenes.glb"))
    np.testing.assert_array_equal(mesh.positions, CORNERS)
    assert [warning["code"] for warning in mesh.warnings] == ["mesh-other-scene"]
    assert why in mesh.warnings[0]["sentence"]


def test_file_without_scenes_shows_all_its_nodes(tmp_path):
    glb = quad_glb()
    del glb.header["scenes"], glb.header["scene"]
    glb.header["nodes"] = [{"mesh": 0}, {"children": [0], "translation": [3, 0, 0]}]
    mesh = read_mesh(glb.write(tmp_path / "nodes.glb"))
    np.testing.assert_array_equal(mesh.positions, CORNERS + at(3, 0, 0))
    assert mesh.warnings == ()


def skinned(parent: dict, mesh_below: bool) -> Glb:
    glb = quad_glb()
    attributes = glb.header["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_0"] = glb.accessor(np.zeros((4, 4), np.uint8))
    attributes["WEIGHTS_0"] = glb.accessor(np.tile(np.float32([1, 0, 0, 0]), (4, 1)))
    glb.header["skins"] = [{"joints": [2]}]
    below = [1, 2] if mesh_below else [2]
    glb.header["nodes"] = [{**parent, "children": below}, {"mesh": 0, "skin": 0}, {"translation": [3, 0, 0]}]
    glb.header["scenes"] = [{"nodes": [0] if mesh_below else [0, 1]}]
    return glb


@pytest.mark.parametrize("mesh_below", [True, False])
def test_skinned_mesh_under_a_mirrored_parent_is_not_inside_out(tmp_path, mesh_below):
    for scale in ([1, 1, 1], [-1, 1, 1], [1, 1, -1]):
        mesh = read_mesh(skinned({"scale": scale}, mesh_below).write(tmp_path / "mirrored.glb"))
        np.testing.assert_allclose(mesh.positions, (CORNERS + at(3, 0, 0)) * scale)
        assert (np.sign(normals(mesh)[:, 2]) == np.sign(scale[2])).all()


def test_a_skinned_mesh_as_blender_writes_it_below_a_mirrored_armature_is_not_inside_out(tmp_path):
    """Its vertices are in place, mirrored and turned over, and bound there: only its node tells of the mirror."""
    glb = skinned({"scale": [-1, 1, 1]}, True)
    part = glb.header["meshes"][0]["primitives"][0]["attributes"]
    part["POSITION"] = glb.accessor(CORNERS * np.float32([-1, 1, 1]))
    joint = np.diag([-1.0, 1, 1, 1]) @ np.array([[1, 0, 0, 3.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    glb.header["skins"][0]["inverseBindMatrices"] = glb.accessor(np.linalg.inv(joint).T.reshape(1, 16).astype("f4"))
    mesh = read_mesh(glb.write(tmp_path / "mirrored.glb"))
    np.testing.assert_allclose(mesh.positions, CORNERS * [-1, 1, 1])
    assert (normals(mesh)[:, 2] > 0).all()


def test_texture_coordinates_stay_at_their_corners_in_a_mirrored_part(tmp_path):
    glb = quad_glb(material=0)
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    glb.header["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = glb.accessor(uv)
    glb.header["images"] = [glb.image(np.zeros((2, 2, 3), np.uint8))]
    glb.header["textures"] = [{"source": 0}]
    glb.header["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    glb.header["nodes"] = [{"mesh": 0, "scale": [-1, 1, 1]}]
    mesh = read_mesh(glb.write(tmp_path / "mirrored.glb"))
    np.testing.assert_allclose(mesh.corner_uv, CORNERS[mesh.faces][..., :2])  # the quad's own x and y, v up


@pytest.mark.parametrize(
    "nodes",
    [
        [{"mesh": 0, "children": [0]}],
        [{"children": [1]}, {"children": [0], "mesh": 0}],
        [{"children": [1, 1]}, {"mesh": 0}],
        [{"children": [9]}, {"mesh": 0}],
        [{"children": "12"}, {"mesh": 0}],
    ],
)
def test_trees_that_are_none_are_refused(tmp_path, nodes):
    glb = quad_glb()
    glb.header["nodes"] = nodes
    with pytest.raises(Motion324Error) as caught:
        read_mesh(glb.write(tmp_path / "loop.glb"))
    assert caught.value.code == "mesh-unreadable"


def test_a_deep_tree_is_walked(tmp_path):
    glb = quad_glb()
    glb.header["nodes"] = [{"children": [k + 1], "translation": [1, 0, 0]} for k in range(5000)] + [{"mesh": 0}]
    mesh = read_mesh(glb.write(tmp_path / "deep.glb"))
    np.testing.assert_allclose(mesh.positions, CORNERS + at(5000, 0, 0))


def test_eight_thousand_nodes_of_one_mesh_take_seconds(tmp_path):
    glb = quad_glb()
    glb.header["nodes"] = [{"mesh": 0, "translation": [k, 0, 0], "name": "x" * 1000} for k in range(8000)]
    glb.header["scenes"] = [{"nodes": list(range(8000))}]
    path = glb.write(tmp_path / "many.glb")
    began = time.process_time()
    mesh = read_mesh(path)
    assert time.process_time() - began < 5
    assert len(mesh.positions) == 32000 and len(mesh.metadata["parts"]) < 50_000
