"""Khronos' own validator finds nothing wrong with GLBs. `make test-all` fetches it; else these are skipped."""

from __future__ import annotations

import bpy
import pytest
from addon.shapes import ball, finish, ngon_object, rest
from addon.wobble import wobble
from gltf_validator import issues, needs_validator

pytestmark = [pytest.mark.long, needs_validator]


def textured(obj):
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("Picture", 8, 8)
    texture.image.pack()
    shader = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    obj.data.materials.append(material)


@pytest.mark.parametrize("what", ["still", "moving", "textured", "sheared", "several", "mirrored in centimetres"])
def test_khronos_validator_finds_no_fault(addon, tmp_path, what):
    obj = ngon_object() if what == "moving" else ball(segments=12)
    if what != "still":
        timing = addon("scene.playing.timing").Timing(1, 1, 4)
        finish(addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), 4), timing))
    others = []
    if what == "textured":
        textured(obj)
    elif what == "several":
        others = [ball("Other")]
    elif what == "sheared":
        obj.parent = bpy.data.objects.new("Parent", None)
        bpy.context.scene.collection.objects.link(obj.parent)
        obj.parent.scale, obj.rotation_euler = (3, 1, 0.5), (0.4, 0.5, 0.6)
    elif what == "mirrored in centimetres":
        obj.scale = (-1, 1, 2)
        bpy.context.scene.unit_settings.scale_length = 0.01
    path = tmp_path / "object.glb"
    addon("scene.exporting.export").export(obj, path, 1, 4, others=others)
    assert issues(path) == []


def test_the_validator_would_find_a_fault(addon, tmp_path):
    path = tmp_path / "object.glb"
    addon("scene.exporting.export").export(ball(segments=8), path, 1, 2)
    content = bytearray(path.read_bytes())
    start = content.index(b'"componentType":5126')
    content[start : start + 20] = b'"componentType":5123'
    path.write_bytes(content)
    assert issues(path)
