"""FBX and .blend files are read through a Blender process."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from motion324.blender import blender_reading
from motion324.core.errors import EXIT_BAD_MESH, Cancelled, Motion324Error
from motion324.mesh.colours import colours_at
from motion324.mesh.files.reading import read_mesh

MAKE_MIXED = """
import sys
import bpy
import numpy as np

bpy.ops.wm.read_homefile(use_empty=True)
mesh = bpy.data.meshes.new("squares")
mesh.from_pydata([(x, y, 0) for y in (0, 1) for x in range(5)], [], [(x, x + 1, x + 6, x + 5) for x in range(4)])
item = bpy.data.objects.new("squares", mesh)
bpy.context.scene.collection.objects.link(item)
mesh.uv_layers.new()
image = bpy.data.images.new("grey", 2, 2)
image.pixels.foreach_set(np.tile([0.5, 0.5, 0.5, 1], 4).astype(np.float32))
image.pack()

def material(name):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    mesh.materials.append(made)
    mesh.polygons[len(mesh.materials) - 1].material_index = len(mesh.materials) - 1
    return made.node_tree, made.node_tree.nodes["Principled BSDF"].inputs["Base Color"]

def mix(tree, kind, factor):
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type, node.blend_type = "RGBA", kind
    node.inputs[0].default_value = factor
    colours = [socket for socket in node.inputs if socket.type == "RGBA"]
    return colours[0], colours[1], next(s for s in node.outputs if s.type == "RGBA")

tree, base = material("half of red, half of blue")
first, second, out = mix(tree, "MIX", 0.5)
first.default_value, second.default_value = (0.42828, 0, 0, 1), (0, 0, 0.42828, 1)
tree.links.new(out, base)

tree, base = material("a picture dimmed by a quarter of a colour")
first, second, out = mix(tree, "MULTIPLY", 0.25)
picture = tree.nodes.new("ShaderNodeTexImage")
picture.image = image
second.default_value = (0, 1, 1, 1)
tree.links.new(picture.outputs["Color"], first)
tree.links.new(out, base)

inner = bpy.data.node_groups.new("inner", "ShaderNodeTree")
for name, way in (("In", "INPUT"), ("Out", "OUTPUT")):
    inner.interface.new_socket(name, in_out=way, socket_type="NodeSocketColor")
inner.links.new(inner.nodes.new("NodeGroupInput").outputs[0], inner.nodes.new("NodeGroupOutput").inputs[0])
outer = inner.copy()
outer.links.clear()
nested = outer.nodes.new("ShaderNodeGroup")
nested.node_tree = inner
outer.links.new(next(n for n in outer.nodes if n.type == "GROUP_INPUT").outputs[0], nested.inputs[0])
outer.links.new(nested.outputs[0], next(n for n in outer.nodes if n.type == "GROUP_OUTPUT").inputs[0])
tree, base = material("a colour through a group in a group")
group = tree.nodes.new("ShaderNodeGroup")
group.node_tree = outer
group.inputs[0].default_value = (0.21404, 1, 0, 1)
tree.links.new(group.outputs[0], base)

tree, base = material("a muted mix")
first, second, out = mix(tree, "MIX", 1.0)
first.default_value, second.default_value = (0, 1, 0, 1), (1, 0, 0, 1)
first.node.mute = True
tree.links.new(out, base)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1] + "/mixed.blend")
"""

MAKE_SCENE = """
import sys
import bpy
import numpy as np

bpy.ops.wm.read_homefile(use_empty=True)
image = bpy.data.images.new("map", 2, 1)
image.pixels.foreach_set(np.array([1, 0, 0, 1, 0, 0, 1, 1], np.float32))
image.filepath_raw, image.file_format = sys.argv[1] + "/map.png", "PNG"
image.save()
image.pack()
textured = bpy.data.materials.new("textured")
textured.use_nodes = True
node = textured.node_tree.nodes.new("ShaderNodeTexImage")
node.image = image
shader = textured.node_tree.nodes["Principled BSDF"]
textured.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
grey = bpy.data.materials.new("grey")
grey.use_nodes = True
grey.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.21404114, 0.21404114, 0, 1)

def add(name, vertices, faces, materials):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    for material in materials:
        mesh.materials.append(material)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    return item

square = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
zebra = add("zebra", square, [(0, 1, 2, 3)], [textured])
layer = zebra.data.uv_layers.new()
layer.data.foreach_set("uv", np.array([0.75, 0.5] * 4, np.float32))
zebra.location = (5, 0, 0)
zebra.scale = (2, 1, 1)
ape = add("ape", [(x, y, 1) for x, y, _ in square], [(0, 1, 2), (0, 2, 3)], [grey])
array = ape.modifiers.new("twice", "ARRAY")
array.use_relative_offset, array.use_constant_offset = False, True
array.constant_offset_displace = (0, 0, 4)
painted = add("painted", [(x, y, 3) for x, y, _ in square], [(0, 1, 2)], [])
attribute = painted.data.color_attributes.new("Col", "FLOAT_COLOR", "POINT")
for item in attribute.data:
    item.color_srgb = (0.25, 0.5, 0.75, 1)
add("hidden", square, [(0, 1, 2)], []).hide_set(True)
add("wire", square, [], [])
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1] + "/scene.blend")
for item in (painted, bpy.data.objects["hidden"], bpy.data.objects["wire"]):
    bpy.data.objects.remove(item)
bpy.ops.export_scene.fbx(filepath=sys.argv[1] + "/scene.fbx", path_mode="COPY", embed_textures=True)
"""


@pytest.fixture(scope="module")
def scene(blender, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    subprocess.run([blender, "-I", "-c", MAKE_SCENE, folder], check=True, capture_output=True, timeout=120)
    return folder


def test_blend_file_gives_its_visible_evaluated_meshes(blender, scene):
    mesh = read_mesh(scene / "scene.blend", blender=blender)
    assert mesh.up == "Z"
    parts = mesh.metadata["parts"].split(", ")
    assert sorted(parts) == ["ape", "painted", "zebra"]
    assert mesh.positions.shape == (8 + 4 + 4, 3)  # the array modifier doubles the ape; the unused vertex stays
    start = {"ape": 0, "painted": 0, "zebra": 0}
    for part in parts:
        start[part] = sum({"ape": 8, "painted": 4, "zebra": 4}[other] for other in parts[: parts.index(part)])
    zebra = mesh.positions[start["zebra"] : start["zebra"] + 4]
    np.testing.assert_allclose(zebra, [[5, 0, 0], [7, 0, 0], [7, 1, 0], [5, 1, 0]], atol=1e-6)
    ape = mesh.positions[start["ape"] : start["ape"] + 8]
    np.testing.assert_allclose(ape[4:] - ape[:4], np.tile([0, 0, 4], (4, 1)), atol=1e-6)
    first_faces = [
        int(np.flatnonzero(mesh.faces.min(axis=1) >= start[part])[0]) for part in ("zebra", "ape", "painted")
    ]
    found = colours_at(mesh, np.array(first_faces), np.full((3, 3), 1 / 3))
    np.testing.assert_allclose(found, [[0, 0, 1], [0.5, 0.5, 0], [0.226, 0.453, 0.68]], atol=0.005)  # grey of 0.8 light


def test_mix_nodes_and_node_groups_give_the_colours_that_blender_shows(blender, tmp_path):
    subprocess.run([blender, "-I", "-c", MAKE_MIXED, tmp_path], check=True, capture_output=True, timeout=120)
    mesh = read_mesh(tmp_path / "mixed.blend", blender=blender)
    assert [material.name.split()[0] for material in mesh.materials] == ["half", "a", "a", "a"]
    found = colours_at(mesh, np.arange(0, 8, 2), np.full((4, 3), 1 / 3))
    np.testing.assert_allclose(found[0], [0.5, 0, 0.5], atol=0.005)
    np.testing.assert_allclose(found[1], [0.88 * 0.5, 0.5, 0.5], atol=0.005)  # 0.75 of the light is 0.88 in sRGB
    np.testing.assert_allclose(found[2], [0.5, 1, 0], atol=0.005)
    np.testing.assert_allclose(found[3], [0, 1, 0], atol=0.005)


def test_fbx_file_gives_the_same_surface(blender, scene):
    mesh = read_mesh(scene / "scene.fbx", blender=blender)
    assert sorted(mesh.metadata["parts"].split(", ")) == ["ape", "zebra"]
    zebra = int(np.argmax(mesh.positions[:, 0]))
    np.testing.assert_allclose(mesh.positions[zebra, 0], 7, atol=1e-5)
    face = int(np.flatnonzero((mesh.faces == zebra).any(axis=1))[0])
    np.testing.assert_allclose(colours_at(mesh, np.array([face]), np.full((1, 3), 1 / 3)), [[0, 0, 1]], atol=0.01)


def test_file_that_blender_cannot_read_is_refused_with_its_words(blender, tmp_path):
    for name in ("text.fbx", "text.blend"):
        (tmp_path / name).write_text("no mesh at all")
        with pytest.raises(Motion324Error) as caught:
            read_mesh(tmp_path / name, blender=blender)
        assert (caught.value.code, caught.value.exit_code) == ("mesh-unreadable", EXIT_BAD_MESH)
        assert name in caught.value.sentence and "supported" in caught.value.sentence


def test_missing_blender_is_named_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "toy.fbx").write_text("")
    monkeypatch.delenv("MOTION324_BLENDER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if blender_reading.find_blender() is not None:
        pytest.skip("Blender is installed where installers put it")
    with pytest.raises(Motion324Error) as caught:
        read_mesh(tmp_path / "toy.fbx")
    assert caught.value.code == "blender-not-found"
    assert "MOTION324_BLENDER" in caught.value.hint and "GLB" in caught.value.hint
    monkeypatch.setenv("MOTION324_BLENDER", str(tmp_path / "nowhere"))
    with pytest.raises(Motion324Error, match="nowhere"):
        read_mesh(tmp_path / "toy.fbx")


def test_blender_that_hangs_is_ended(tmp_path, monkeypatch):
    hanging = tmp_path / "blender"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    (tmp_path / "toy.blend").write_text("")
    monkeypatch.setattr(blender_reading, "TIME_LIMIT", 0.5)
    began = time.monotonic()
    with pytest.raises(Motion324Error, match="did not finish"):
        read_mesh(tmp_path / "toy.blend", blender=hanging)

    def cancel(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_mesh(tmp_path / "toy.blend", blender=hanging, progress=cancel)
    assert time.monotonic() - began < 10
