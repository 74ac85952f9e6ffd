"""Mesh files come back with their own vertices in their own order, and with their colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from glb_builder import CORNERS, TWO_TRIANGLES, quad_glb
from PIL import Image

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.srgb import linear_to_srgb
from motion324.mesh.colours import colours_at
from motion324.mesh.files.reading import SUFFIXES, read_mesh


def expect(code: str, path: Path) -> Motion324Error:
    with pytest.raises(Motion324Error) as caught:
        read_mesh(path)
    assert (caught.value.code, caught.value.exit_code) == (code, EXIT_BAD_MESH)
    assert str(path) in caught.value.sentence or path.stem in caught.value.sentence
    return caught.value


def test_glb_keeps_the_order_of_vertices_that_trimesh_wrote(tmp_path):
    generator = np.random.default_rng(0)
    sphere = trimesh.creation.icosphere(subdivisions=2)
    order = generator.permutation(len(sphere.vertices))
    vertices = sphere.vertices[order]
    faces = np.argsort(order)[sphere.faces]
    colours = generator.integers(0, 256, (len(vertices), 4), dtype=np.uint8)
    trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False).export(tmp_path / "sphere.glb")
    mesh = read_mesh(tmp_path / "sphere.glb")
    np.testing.assert_allclose(mesh.positions, vertices, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_allclose(mesh.vertex_colour, colours[:, :3] / 255, atol=1e-6)
    assert (mesh.up, mesh.name, mesh.positions.dtype, mesh.faces.dtype) == ("Y", "sphere", np.float32, np.int32)


def test_glb_nodes_are_placed_and_joined_in_file_order(tmp_path):
    glb = quad_glb()
    half = [0.0, 0.0, float(np.sqrt(0.5)), float(np.sqrt(0.5))]  # 90 degrees about z
    glb.header["nodes"] = [
        {"name": "root", "children": [1, 3], "translation": [10, 0, 0]},
        {"name": "turned", "mesh": 0, "rotation": half, "scale": [2, 2, 2], "children": [2]},
        {"name": "child", "mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
        {"name": "mirrored", "mesh": 0, "scale": [-1, 1, 1]},
    ]
    mesh = read_mesh(glb.write(tmp_path / "parts.glb"))
    assert mesh.metadata["parts"] == "turned, child, mirrored"
    turned = np.stack([10 - 2 * CORNERS[:, 1], 2 * CORNERS[:, 0], 0 * CORNERS[:, 0]], axis=1)
    np.testing.assert_allclose(mesh.positions[:4], turned, atol=1e-6)
    np.testing.assert_allclose(mesh.positions[4:8], turned + np.array([0, 0, 10]), atol=1e-5)
    np.testing.assert_allclose(mesh.positions[8:], CORNERS * [-1, 1, 1] + [10, 0, 0], atol=1e-6)
    normals = np.cross(*(mesh.positions[mesh.faces[:, k]] - mesh.positions[mesh.faces[:, 0]] for k in (1, 2)))
    assert (normals[:, 2] > 0).all()  # the mirrored part still faces the same way


def test_glb_primitives_share_the_vertices_that_the_file_shares(tmp_path):
    glb = quad_glb()
    position = glb.header["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    glb.header["meshes"][0]["primitives"] = [
        {"attributes": {"POSITION": position}, "indices": glb.accessor(triangle), "material": material}
        for triangle, material in zip(TWO_TRIANGLES, (1, 0), strict=True)
    ]
    glb.header["materials"] = [
        {"name": "blue", "pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, 1]}},
        {"name": "dim red", "pbrMetallicRoughness": {"baseColorFactor": [0.21404114, 0, 0, 0.5]}},
    ]
    mesh = read_mesh(glb.write(tmp_path / "shared.glb"))
    assert mesh.positions.shape == (4, 3)
    assert [material.name for material in mesh.materials] == ["dim red", "blue"]
    np.testing.assert_array_equal(mesh.face_material, [0, 1])
    np.testing.assert_allclose(mesh.materials[0].base_colour, [0.5, 0, 0, 0.5], atol=1e-4)  # linear -> sRGB


def test_glb_texture_is_read_at_its_coordinates(tmp_path):
    glb = quad_glb(material=0)
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # glTF: v down; corner 3 is the top left texel
    glb.header["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_1"] = glb.accessor(uv)
    glb.header["images"], glb.header["textures"] = [glb.image(pixels)], [{"source": 0}]
    glb.header["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 1}}}]
    mesh = read_mesh(glb.write(tmp_path / "textured.glb"))
    np.testing.assert_array_equal(mesh.materials[0].texture[..., :3], pixels)
    quarter = np.array(
        [[0.75, 0, 0.25], [0.25, 0.5, 0.25]]
    )  # the texel centres (.25, .25), (.75, .25) of triangle 1, 0
    np.testing.assert_allclose(colours_at(mesh, np.array([0]), quarter[:1]), [[0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(colours_at(mesh, np.array([0]), quarter[1:]), [[1, 1, 0]], atol=1e-6)


def test_glb_quantised_normalised_and_sparse_accessors_are_decoded(tmp_path):
    glb = quad_glb()
    primitive = glb.header["meshes"][0]["primitives"][0]
    primitive["attributes"]["POSITION"] = glb.accessor((CORNERS * 32767).astype(np.int16), normalized=True)
    primitive["attributes"]["COLOR_0"] = glb.accessor(np.full((4, 4), 51, np.uint8), normalized=True)
    rows, values = np.array([2], np.uint16), np.array([[32767, 32767, 32767]], np.int16)
    glb.header["accessors"][primitive["attributes"]["POSITION"]]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": glb.view(rows.tobytes()), "componentType": 5123},
        "values": {"bufferView": glb.view(values.tobytes())},
    }
    glb.header["extensionsRequired"] = ["KHR_mesh_quantization"]
    mesh = read_mesh(glb.write(tmp_path / "quantised.glb"))
    np.testing.assert_allclose(mesh.positions, np.where(np.arange(4)[:, None] == 2, 1, CORNERS), atol=1e-6)
    np.testing.assert_allclose(mesh.vertex_colour, linear_to_srgb(np.full((4, 3), 0.2)), atol=1e-6)


def test_glb_skin_and_morph_weights_give_the_pose_that_the_file_shows(tmp_path):
    glb = quad_glb()
    primitive = glb.header["meshes"][0]["primitives"][0]
    joints, weights = np.array([[0, 1, 0, 0]] * 4, np.uint8), np.array([[0.5, 0.5, 0, 0]] * 4, np.float32)
    primitive["attributes"] |= {"JOINTS_0": glb.accessor(joints), "WEIGHTS_0": glb.accessor(weights)}
    primitive["targets"] = [{"POSITION": glb.accessor(np.full((4, 3), 2, np.float32))}]
    glb.header["meshes"][0]["weights"] = [0.5]
    inverse = np.tile(np.eye(4, dtype=np.float32).ravel(), (2, 1))
    inverse[:, 12] = -3  # the joints were bound at x = 3
    glb.header["skins"] = [{"joints": [1, 2], "inverseBindMatrices": glb.accessor(inverse)}]
    glb.header["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},  # has no effect on a skinned mesh
        {"translation": [3, 0, 0]},
        {"translation": [3, 8, 0]},
    ]
    glb.header["scenes"] = [{"nodes": [0, 1, 2]}]
    mesh = read_mesh(glb.write(tmp_path / "skinned.glb"))
    np.testing.assert_allclose(mesh.positions, CORNERS + np.array([1, 1 + 4, 1]), atol=1e-6)


def test_glb_strips_and_fans_become_triangles(tmp_path):
    for mode, order, faces in ((5, [0, 1, 3, 2], [[0, 1, 3], [3, 1, 2]]), (6, [0, 1, 2, 3], [[0, 1, 2], [0, 2, 3]])):
        glb = quad_glb(mode=mode)
        glb.header["meshes"][0]["primitives"][0]["indices"] = glb.accessor(np.array(order, np.uint8))
        assert read_mesh(glb.write(tmp_path / "strip.glb")).faces.tolist() == faces


def test_gltf_with_files_beside_it_is_read(tmp_path):
    box = trimesh.creation.box()
    for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box)).items():
        (tmp_path / name).write_bytes(data)
    mesh = read_mesh(tmp_path / "model.gltf")
    np.testing.assert_allclose(mesh.positions, box.vertices)
    np.testing.assert_array_equal(mesh.faces, box.faces)


def test_obj_has_one_vertex_for_each_v_line(tmp_path):
    Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "my map.png")
    (tmp_path / "toy.mtl").write_text(
        "newmtl painted\nKd 0.5 1 1\nmap_Kd -s 1 1 1 my map.png\nnewmtl green\nKd 0 1 0\n"
    )
    (tmp_path / "toy.obj").write_text(
        "mtllib toy.mtl\no a\nv 9 9 9\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.25 0.5\nvt 0.75 0.5\nvn 0 0 1\n"
        "usemtl painted\nf 2/1/1 3/1/1 4/1/1 5/1/1\nf 2/2 4/2 \\\n5/2\n"
        "o b\nusemtl green\nf -4//1 -2//1 -3//1\n"
    )
    mesh = read_mesh(tmp_path / "toy.obj")
    np.testing.assert_array_equal(mesh.positions, [[9, 9, 9], [0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert mesh.faces[2:].tolist() == [[1, 3, 4], [1, 3, 2]]
    assert mesh.metadata["parts"] == "a, b"
    centre = np.full((4, 3), 1 / 3)
    np.testing.assert_allclose(
        colours_at(mesh, np.arange(4), centre), [[0.5, 0, 0], [0.5, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-6
    )


def test_obj_vertex_colours_and_missing_material_file(tmp_path):
    lines = [f"v {x} {y} {z} 0.1 0.2 {x / 2}" for x, y, z in CORNERS]
    (tmp_path / "painted.obj").write_text("mtllib gone.mtl\nusemtl x\n" + "\n".join(lines) + "\nf 1 2 3 4\n")
    mesh = read_mesh(tmp_path / "painted.obj")
    np.testing.assert_allclose(mesh.vertex_colour[1], [0.1, 0.2, 0.5])
    assert mesh.materials[0].base_colour[:3] == (1, 1, 1)
    assert "gone.mtl" in mesh.warnings[0]["sentence"]


def test_obj_concave_polygons_are_cut_inside(tmp_path):
    outline = [(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)]  # a notch from above
    arrow = [(10, 0), (12, 3), (10, 1), (8, 3)]  # a quad that folds over along the wrong diagonal
    points = [*outline, *arrow]
    text = "".join(f"v {x} {y} 0\n" for x, y in points) + "f 1 2 3 4 5\nf 6 7 8 9\n"
    (tmp_path / "concave.obj").write_text(text)
    mesh = read_mesh(tmp_path / "concave.obj")
    corners = mesh.positions[mesh.faces]
    signed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (signed > 0).all()
    np.testing.assert_allclose([signed[:3].sum(), signed[3:].sum()], [10, 2])


def test_ply_keeps_order_and_colours(tmp_path):
    colours = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [51, 51, 51, 255]], np.uint8)
    soup = trimesh.Trimesh(CORNERS[::-1], TWO_TRIANGLES, vertex_colors=colours, process=False)
    soup.export(tmp_path / "quad.ply")
    mesh = read_mesh(tmp_path / "quad.ply")
    np.testing.assert_array_equal(mesh.positions, CORNERS[::-1])
    np.testing.assert_allclose(mesh.vertex_colour, colours[:, :3] / 255)


def test_ply_with_quads_face_colours_and_texture(tmp_path):
    head = "ply\nformat ascii 1.0\n{}element vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    points = "".join(f"{x} {y} {z}\n" for x, y, z in CORNERS)
    quads = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "quads.ply").write_text(head.format("") + quads + points + "4 0 1 2 3\n")
    assert len(read_mesh(tmp_path / "quads.ply").faces) == 2

    red = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    faces = f"element face 2\nproperty list uchar int vertex_indices\n{red}end_header\n"
    (tmp_path / "faces.ply").write_text(head.format("") + faces + points + "3 0 1 2 255 0 0\n3 0 2 3 0 0 255\n")
    mesh = read_mesh(tmp_path / "faces.ply")
    found = colours_at(mesh, np.array([0, 1, 1]), np.array([[1, 0, 0], [0, 1, 0], [0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 1], [0, 0, 1]], atol=1e-6)

    Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "map.png")
    faces = "element face 2\nproperty list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
    left, right = "6" + " 0.25 0.5" * 3, "6" + " 0.75 0.5" * 3
    body = f"{points}3 0 1 2 {left}\n3 0 2 3 {right}\n"
    (tmp_path / "mapped.ply").write_text(head.format("comment TextureFile map.png\n") + faces + body)
    mesh = read_mesh(tmp_path / "mapped.ply")
    assert len(mesh.positions) == 4  # vertices are not split where texture coordinates differ
    found = colours_at(mesh, np.array([0, 1]), np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 1]], atol=1e-6)


def test_stl_keeps_its_triangles_apart(tmp_path):
    box = trimesh.creation.box()
    box.export(tmp_path / "box.stl")
    mesh = read_mesh(tmp_path / "box.stl")
    assert mesh.positions.shape == (36, 3)
    np.testing.assert_allclose(mesh.positions[mesh.faces], box.triangles)


def test_large_textures_are_halved(tmp_path):
    glb = quad_glb(material=0)
    uv = np.zeros((4, 2), np.float32)
    glb.header["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = glb.accessor(uv)
    glb.header["images"] = [glb.image(np.full((20, 9000, 3), 77, np.uint8))]
    glb.header["textures"] = [{"source": 0}]
    glb.header["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    texture = read_mesh(glb.write(tmp_path / "wide.glb")).materials[0].texture
    assert texture.shape == (5, 2250, 4)
    assert (texture[..., :3] == 77).all()


def test_benchmark_meshes_equal_their_ground_truth():
    bench = Path(__file__).resolve().parents[4].parent / "shared" / "bench" / "dev"
    if not bench.exists():
        pytest.skip("the benchmark clips are not beside the repository")
    for name in ("fox_gallop", "george_dance"):
        mesh = read_mesh(bench / "glbs" / f"{name}.glb")
        truth = bench / "pcds" / f"{name}_pointclouds"
        np.testing.assert_allclose(mesh.positions, np.load(truth / "frame_0000.npy"), atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, np.load(truth / "faces.npy"))


def test_bad_files_are_refused_by_name(tmp_path):
    expect("mesh-missing", tmp_path / "gone.glb")
    (tmp_path / "notes.txt").write_text("hello")
    error = expect("mesh-unknown-kind", tmp_path / "notes.txt")
    assert all(suffix in error.hint for suffix in SUFFIXES)
    for suffix in (".glb", ".gltf", ".obj", ".ply", ".stl"):
        (tmp_path / f"text{suffix}").write_text("v one two three\nthis is no mesh")
        with pytest.raises(Motion324Error) as caught:
            read_mesh(tmp_path / f"text{suffix}")
        assert caught.value.code in ("mesh-unreadable", "mesh-empty")
    whole = quad_glb().write(tmp_path / "whole.glb").read_bytes()
    (tmp_path / "cut.glb").write_bytes(whole[: len(whole) - 40])
    assert "cut short" in expect("mesh-unreadable", tmp_path / "cut.glb").sentence


def test_meshes_without_a_usable_surface_are_refused(tmp_path):
    glb = quad_glb(mode=0)  # points
    expect("mesh-empty", glb.write(tmp_path / "points.glb"))
    glb = quad_glb()
    broken = CORNERS.copy()
    broken[2, 1] = np.nan
    glb.header["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = glb.accessor(broken)
    error = expect("mesh-not-finite", glb.write(tmp_path / "nan.glb"))
    assert "1 vertices" in error.sentence and "vertex 2" in error.sentence
    glb = quad_glb()
    glb.header["meshes"][0]["primitives"][0]["indices"] = glb.accessor(np.array([0, 1, 9], np.uint16))
    expect("mesh-bad-faces", glb.write(tmp_path / "outside.glb"))
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    expect("mesh-zero-area", tmp_path / "flat.obj")
    (tmp_path / "point.obj").write_text("v 7 7 7\nv 7 7 7\nv 7 7 7\nf 1 2 3\n")
    expect("mesh-zero-extent", tmp_path / "point.obj")


def test_unknown_required_extensions_are_refused_by_name(tmp_path):
    glb = quad_glb()
    glb.header["extensionsRequired"] = ["KHR_materials_unlit", "ACME_bent_space"]
    error = expect("mesh-unreadable", glb.write(tmp_path / "bent.glb"))
    assert "ACME_bent_space" in error.sentence and "export it again" in error.hint.lower()


def test_srgb_curve_meets_its_known_points():
    np.testing.assert_allclose(linear_to_srgb(np.array([0, 0.0031308, 0.21404114, 1])), [0, 0.04045, 0.5, 1], atol=1e-5)
