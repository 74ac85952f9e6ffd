"""A mesh that the add-on sends, and the same one that the command line reads out of the .blend file, are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
from addon.shapes import add_object, ball, ngon_object

SCRIPTS = Path(__file__).resolve().parents[4] / "backend/motion324/blender"


def read_from_file(folder) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The scene as it is now, saved and read by the script that runs in a Blender process."""
    blend, target = str(folder / "scene.blend"), str(folder / "mesh.npz")
    bpy.ops.wm.save_as_mainfile(filepath=blend, copy=True)
    launcher, script = SCRIPTS / "blender_launcher.py", SCRIPTS / "blender_export_script.py"
    command = [sys.executable, "-I", launcher, "--", script, blend, target, "2048"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with np.load(target) as loaded:
        arrays = dict(loaded)
    return arrays, json.loads(arrays.pop("header").tobytes().decode())


def node_tree(obj, name):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    obj.data.materials.append(material)
    return material.node_tree, material.node_tree.nodes["Principled BSDF"].inputs["Base Color"]


def picture(tree, seed, **settings):
    image = bpy.data.images.new(f"Picture {seed}", 6, 4, alpha=True, **settings)
    values = np.random.default_rng(seed).random((24, 4)).astype(np.float32)
    values[:, 3] = 1  # what is saved of light that shines through is another thing
    image.pixels.foreach_set(values.ravel())
    image.pack()
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node


def mix(tree, kind, factor):
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type, node.blend_type = "RGBA", kind
    node.inputs[0].default_value = factor
    colours = [socket for socket in node.inputs if socket.type == "RGBA"]
    return (*colours, next(socket for socket in node.outputs if socket.type == "RGBA"))


def paint(obj, name, seed, domain):
    attribute = obj.data.color_attributes.new(name, "FLOAT_COLOR", domain)
    attribute.data.foreach_set("color", np.random.default_rng(seed).random(4 * len(attribute.data)).astype(np.float32))


def make_scene() -> list[bpy.types.Object]:
    """A ball of five materials, turned and mirrored; a bare prism that is painted; a shape with plain nodes."""
    one = ball()
    one.location, one.rotation_euler, one.scale = (4, 0, 1), (0.3, 0.2, 0.1), (-1, 2, 0.5)
    one.modifiers.new("Cast", "CAST").factor = 0.5
    one.data.uv_layers.new(name="Second")
    second = np.random.default_rng(0).random(2 * len(one.data.loops)).astype(np.float32)
    one.data.uv_layers["Second"].uv.foreach_set("vector", second)
    one.data.uv_layers[0].active_render = True
    paint(one, "Paint", 1, "CORNER")

    tree, base = node_tree(one, "A picture times the paint")
    a, b, out = mix(tree, "MULTIPLY", 1.0)
    attribute = tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = "Paint"
    tree.links.new(picture(tree, 2).outputs["Color"], a)
    tree.links.new(attribute.outputs["Color"], b)
    tree.links.new(out, base)

    tree, base = node_tree(one, "A picture of light in a group, with the second map")
    group = bpy.data.node_groups.new("Group", "ShaderNodeTree")
    group.interface.new_socket("Dim", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Out", in_out="OUTPUT", socket_type="NodeSocketColor")
    a, b, out = mix(group, "MULTIPLY", 0.5)
    inner = picture(group, 3, float_buffer=True)
    chart = group.nodes.new("ShaderNodeUVMap")
    chart.uv_map = "Second"
    group.links.new(chart.outputs[0], inner.inputs["Vector"])
    group.links.new(inner.outputs["Color"], a)
    group.links.new(group.nodes.new("NodeGroupInput").outputs[0], b)
    group.links.new(out, group.nodes.new("NodeGroupOutput").inputs[0])
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    node.inputs[0].default_value = (0.9, 0.5, 0.1, 1)
    tree.links.new(node.outputs[0], base)

    tree, base = node_tree(one, "Two colours")
    a, b, out = mix(tree, "ADD", 0.3)
    a.default_value, b.default_value = (0.1, 0.2, 0.3, 1), (0.5, 0.2, 0.9, 1)
    tree.links.new(out, base)

    tree, base = node_tree(one, "Clear")
    base.default_value = (0.3, 0.1, 0.7, 1)
    base.node.inputs["Alpha"].default_value = 0.25
    tree, base = node_tree(one, "Lost")
    base.default_value = (0.3, 0.6, 0.2, 1)
    lost = tree.nodes.new("ShaderNodeTexImage")
    lost.image = bpy.data.images.new("Lost", 4, 4)
    lost.image.source, lost.image.filepath = "FILE", "/nowhere/lost.png"
    tree.links.new(lost.outputs["Color"], base)
    count = len(one.data.polygons)
    one.data.polygons.foreach_set("material_index", (np.arange(count) % 5).astype(np.int32))

    bare = ngon_object("Bare")
    paint(bare, "Colours", 4, "POINT")
    bare.location = (-3, 1, 0)
    mesh = bpy.data.meshes.new("Plain")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
    plain = add_object("Plain", mesh)
    material = bpy.data.materials.new("Viewport only")
    material.use_nodes = False
    material.diffuse_color = (0.2, 0.4, 0.6, 1)
    mesh.materials.append(material)
    return [one, bare, plain]


def test_colours_texture_coordinates_and_geometry_are_equal(addon, tmp_path):
    objects = make_scene()
    sent = addon("scene.reading.joining").read_objects(objects)
    arrays, header = read_from_file(tmp_path)
    mesh = sent.mesh
    assert header["parts"] == ["Ball", "Bare", "Plain"] == [member.target.name for member in sent.members]
    np.testing.assert_array_equal(arrays["faces"], mesh.faces)
    place = np.mean([np.array(obj.matrix_world.translation) for obj in objects], axis=0)
    np.testing.assert_allclose(arrays["positions"], mesh.positions + place, atol=1e-6)
    np.testing.assert_array_equal(arrays["corner_uv"], mesh.corner_uv)
    np.testing.assert_array_equal(arrays["vertex_colour"], mesh.vertex_colour)
    assert header["materials"] == [material.name for material in mesh.materials]
    np.testing.assert_array_equal(arrays["face_material"], mesh.face_material)
    for index, material in enumerate(mesh.materials):
        np.testing.assert_array_equal(arrays["base_colours"][index], np.float32(material.base_colour))
        texture = arrays.get(f"texture_{index}")
        assert (texture is None) == (material.texture is None) == (index >= 2)
        if texture is not None:
            np.testing.assert_array_equal(texture, material.texture)
    np.testing.assert_allclose(mesh.materials[4].base_colour[:3], [0.584, 0.797, 0.485], atol=2e-3)  # not the picture's
    assert mesh.materials[3].base_colour[3] == 0.25


def test_materials_that_geometry_nodes_set_are_read(addon, tmp_path):
    obj = ball()
    red = bpy.data.materials.new("Red")
    red.use_nodes = True
    red.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (1, 0, 0, 1)
    tree = bpy.data.node_groups.new("Paint", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    node = tree.nodes.new("GeometryNodeSetMaterial")
    node.inputs["Material"].default_value = red
    tree.links.new(tree.nodes.new("NodeGroupInput").outputs[0], node.inputs[0])
    tree.links.new(node.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    obj.modifiers.new("Nodes", "NODES").node_group = tree
    mesh = addon("scene.reading.mesh_reading").read_reference(obj).mesh
    arrays, header = read_from_file(tmp_path)
    shown = {mesh.materials[index].name for index in set(mesh.face_material)}
    assert shown == {header["materials"][index] for index in set(arrays["face_material"].tolist())} == {"Red"}
    colours = np.array([material.base_colour for material in mesh.materials])[mesh.face_material]
    np.testing.assert_allclose(colours[0], [1, 0, 0, 1])
