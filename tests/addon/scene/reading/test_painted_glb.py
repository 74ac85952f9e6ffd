"""A painted mesh has the same colours whether the add-on sends it or the backend reads Blender's own GLB of it."""

from __future__ import annotations

import json
import os
import subprocess

import bpy
import numpy as np
import pytest
from addon.shapes import ngon_object

READ = """
import json, sys
from motion324.mesh.files.reading import read_mesh
mesh = read_mesh(sys.argv[1])
print(json.dumps([mesh.positions.tolist(), mesh.vertex_colour.tolist(), mesh.metadata["vertex colours"]]))
"""


@pytest.mark.parametrize("kind", ["BYTE_COLOR", "FLOAT_COLOR"])
def test_sent_and_exported_colours_are_the_same(addon, tmp_path, kind):
    python = os.environ.get("MOTION324_TEST_BACKEND")
    if not python:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test` sets it")
    obj = ngon_object()
    attribute = obj.data.color_attributes.new("Paint", kind, "POINT")
    shades = np.random.default_rng(0).uniform(0, 1, (len(attribute.data), 4))
    shades[1], shades[:, 3] = (0.05, 0.20, 0.60, 1), 1
    attribute.data.foreach_set("color", shades.astype(np.float32).ravel())
    obj.data.color_attributes.render_color_index = obj.data.color_attributes.active_color_index = 0
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    obj.data.materials.append(material)
    node = material.node_tree.nodes.new("ShaderNodeVertexColor")
    node.layer_name = "Paint"
    principled = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(node.outputs["Color"], principled.inputs["Base Color"])
    sent = addon("scene.reading.mesh_reading").read_reference(obj).mesh

    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "painted.glb"), use_selection=True)
    done = subprocess.run([python, "-c", READ, tmp_path / "painted.glb"], check=True, capture_output=True, text=True)
    positions, colours, meaning = json.loads(done.stdout)
    assert meaning == "linear"

    # glTF splits vertices, and has Y up.
    there = np.array(positions) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    used = np.arange(1, len(sent.positions))  # the first vertex has no face, which glTF leaves out
    distances = np.linalg.norm(there[:, None] - sent.positions[None, used], axis=2)
    assert distances.min(axis=1).max() < 1e-5 and distances.min(axis=0).max() < 1e-5
    np.testing.assert_allclose(colours, sent.vertex_colour[used][distances.argmin(axis=1)], atol=0.006)
    np.testing.assert_allclose(sent.vertex_colour[1], (0.2479, 0.4845, 0.7977), atol=0.006)
