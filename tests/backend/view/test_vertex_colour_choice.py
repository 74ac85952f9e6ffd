"""Vertex colours of glTF files: linear as the standard says, unless the generator or the video says otherwise."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import trimesh
from glb_builder import quad_glb

from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.core.srgb import linear_to_srgb, srgb_to_linear
from motion324.core.view import look_at_origin
from motion324.mesh.colours import LINEAR, MEANING, OTHER, REASON, SRGB, meaning_by_generator
from motion324.mesh.files.gltf_writing import write_glb
from motion324.mesh.files.reading import read_mesh
from motion324.view.rasteriser import render
from motion324.view.vertex_colour_choice import with_fitting_colours

VIEW = look_at_origin(20, 10, 2.5, 50 / 36)


def sphere(generator: str) -> ReferenceMesh:
    """With stripes of many shades, in the file's numbers 0.02 to 0.6."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    in_file = 0.31 + 0.29 * np.sin(9 * ball.vertices)
    told = meaning_by_generator(generator)
    colour = (linear_to_srgb(in_file) if told[MEANING] == LINEAR else in_file).astype(np.float32)
    faces = ball.faces.astype(np.int32)
    mesh = ReferenceMesh(
        ball.vertices.astype(np.float32), faces, np.zeros(len(faces), np.int32), vertex_colour=colour, metadata=told
    )
    return normalised_mesh(mesh)[0]


def shown(mesh: ReferenceMesh, colour: np.ndarray, exposure: float) -> tuple[np.ndarray, np.ndarray]:
    """The frame and its mask if the true colours are these."""
    true = dataclasses.replace(mesh, vertex_colour=colour.astype(np.float32))
    frame, mask = render(mesh.positions, true, VIEW, 120, 160)
    return np.clip(frame * exposure, 0, 255).astype(np.uint8), mask.astype(np.float32)


@pytest.mark.parametrize("exposure", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("generator", ["", "https://github.com/mikedh/trimesh"])
@pytest.mark.parametrize("truth", [LINEAR, SRGB])
def test_the_first_frame_decides_where_it_is_clear(generator, truth, exposure):
    mesh = sphere(generator)
    in_file = srgb_to_linear(mesh.vertex_colour) if mesh.metadata[MEANING] == LINEAR else mesh.vertex_colour
    colour = linear_to_srgb(in_file) if truth == LINEAR else in_file
    found = with_fitting_colours(mesh, VIEW, *shown(mesh, colour, exposure))
    assert found.metadata[MEANING] == truth
    np.testing.assert_allclose(found.vertex_colour, colour, atol=1e-5)
    if mesh.metadata[MEANING] == truth:
        assert found is mesh
    else:
        assert "first frame" in found.metadata[REASON] and found.metadata[OTHER] == mesh.metadata[MEANING]


@pytest.mark.parametrize("generator", ["Khronos glTF Blender I/O v4.5.51", "Motion324 for Blender 0.1.0"])
def test_generators_that_follow_the_standard_are_believed(generator):
    mesh = sphere(generator)
    dark = srgb_to_linear(mesh.vertex_colour)
    assert with_fitting_colours(mesh, VIEW, *shown(mesh, dark, 1.0)) is mesh


def test_nothing_is_decided_from_a_few_pixels_or_another_mesh():
    mesh = sphere("")
    frame, mask = shown(mesh, srgb_to_linear(mesh.vertex_colour), 1.0)
    speck = np.zeros_like(mask)
    speck[60:68, 80:88] = 1
    assert with_fitting_colours(mesh, VIEW, frame, speck) is mesh
    assert (
        with_fitting_colours(dataclasses.replace(mesh, metadata={}), VIEW, frame, mask).vertex_colour
        is mesh.vertex_colour
    )


def test_files_say_which_meaning_was_taken(tmp_path):
    glb = quad_glb()
    colours = np.tile(np.float32([0.05, 0.2, 0.6]), (4, 1))
    glb.header["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = glb.accessor(colours)
    mesh = read_mesh(glb.write(tmp_path / "plain.glb"))
    np.testing.assert_allclose(mesh.vertex_colour[0], linear_to_srgb(colours[0]), atol=1e-6)
    assert mesh.metadata[MEANING] == LINEAR and mesh.metadata[OTHER] == SRGB
    glb.header["asset"]["generator"] = "https://github.com/mikedh/trimesh"
    mesh = read_mesh(glb.write(tmp_path / "trimesh.glb"))
    np.testing.assert_array_equal(mesh.vertex_colour, colours)
    assert mesh.metadata[MEANING] == SRGB and "trimesh" in mesh.metadata[REASON]


def test_our_own_files_are_linear_and_come_back_as_they_were(tmp_path):
    mesh = sphere("")
    write_glb(tmp_path / "ours.glb", mesh)
    back = read_mesh(tmp_path / "ours.glb")
    np.testing.assert_allclose(back.vertex_colour, mesh.vertex_colour, atol=1e-5)
    assert back.metadata[MEANING] == LINEAR and OTHER not in back.metadata
    # The numbers in the file itself.
    data = (tmp_path / "ours.glb").read_bytes()
    length = int.from_bytes(data[12:16], "little")
    header = json.loads(data[20 : 20 + length])
    accessor = header["accessors"][header["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    start = 28 + length + header["bufferViews"][accessor["bufferView"]]["byteOffset"]
    written = np.frombuffer(data, "<f4", 3 * accessor["count"], start).reshape(-1, 3)
    np.testing.assert_allclose(written, srgb_to_linear(mesh.vertex_colour), atol=1e-6)
