"""What a job gets to see of a Blender object."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import add_object, ball, ngon_object, rest


@pytest.fixture
def read(addon):
    return addon("scene.reading.mesh_reading").read_reference


def principled(obj, name="Skin"):
    """A new material on the object, and its Principled node."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    obj.data.materials.append(material)
    return material, material.node_tree.nodes["Principled BSDF"]


def image_of(pixels, name="Picture", **settings):
    """pixels (H, W, 4) in [0, 1], row 0 on top, stored as they are."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True, **settings)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    return image


def link_image(material, node, image):
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    material.node_tree.links.new(texture.outputs["Color"], node.inputs["Base Color"])
    return texture


def test_ngons_become_triangles_and_vertices_keep_their_order(read):
    obj = ngon_object()
    mesh = read(obj).mesh
    np.testing.assert_array_equal(mesh.positions, rest(obj))
    assert mesh.faces.dtype == np.int32 and mesh.faces.shape == (2 * 3 + 5 * 2, 3)
    assert (mesh.up, mesh.name) == ("Z", "Ngon")
    corners = mesh.positions[mesh.faces].astype(float)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert areas.sum() == pytest.approx(sum(face.area for face in obj.data.polygons), rel=1e-5)
    assert len(obj.data.polygons) == 7  # the object itself keeps its n-gons


def test_the_pose_is_the_evaluated_one_where_modifiers_keep_the_topology(read):
    obj = ball()
    obj.modifiers.new("Cast", "CAST").factor = 1.0
    obj.modifiers["Cast"].cast_type = "CUBOID"
    mesh = read(obj).mesh
    assert len(mesh.positions) == len(obj.data.vertices)
    assert np.abs(mesh.positions - rest(obj)).max() > 0.1


def test_modifiers_that_change_topology_stay_out_and_stay_on(read):
    obj = ball()
    obj.modifiers.new("Cast", "CAST").cast_type = "CUBOID"
    subdivision = obj.modifiers.new("Subdivision", "SUBSURF")
    obj.modifiers.new("Smooth", "SMOOTH")
    mesh = read(obj).mesh
    assert len(mesh.positions) == len(obj.data.vertices)
    assert np.abs(mesh.positions - rest(obj)).max() > 0.01  # the cast is part of the pose
    assert subdivision.show_viewport and obj.modifiers["Smooth"].show_viewport


def test_shape_keys_are_part_of_the_pose(read):
    obj = ball()
    obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name="wide")
    key.data.foreach_set("co", (rest(obj) * [2, 1, 1]).astype(np.float32).ravel())
    key.value = 1.0
    np.testing.assert_allclose(read(obj).mesh.positions, rest(obj) * [2, 1, 1], atol=1e-6)


def test_geometry_nodes_count_as_deformers_only_where_they_keep_the_topology(addon):
    count = addon("scene.reading.modifier_stack").leading_count
    obj = ball()
    assert count(obj) == 0
    for node_type, expected in (("GeometryNodeSetPosition", 1), ("GeometryNodeSubdivideMesh", 0)):
        obj.modifiers.clear()
        tree = bpy.data.node_groups.new(node_type, "GeometryNodeTree")
        tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
        tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
        first, last = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
        node = tree.nodes.new(node_type)
        tree.links.new(first.outputs[0], node.inputs[0])
        tree.links.new(node.outputs[0], last.inputs[0])
        obj.modifiers.new("Nodes", "NODES").node_group = tree
        assert count(obj) == expected


def test_a_turned_and_stretched_object_is_sent_upright_and_comes_back(read):
    obj = ball()
    obj.rotation_euler = (np.pi / 2, 0, 0.3)
    obj.scale = (1, 2, 0.5)
    obj.location = (10, 20, 30)
    reading = read(obj)
    world = np.array(obj.matrix_world)
    np.testing.assert_allclose(reading.mesh.positions, rest(obj) @ world[:3, :3].T, atol=1e-6)
    np.testing.assert_allclose(reading.orientation.to_object(reading.mesh.positions), rest(obj), atol=1e-6)


def test_a_mirrored_object_still_shows_its_faces_from_outside(read):
    obj = ball()
    obj.scale = (-1, 1, 1)
    mesh = read(obj).mesh
    corners = mesh.positions[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * corners.mean(axis=1)).sum(axis=1) > 0).all()


def test_base_colours_are_sent_as_srgb(read):
    obj = ball()
    _, node = principled(obj)
    node.inputs["Base Color"].default_value = (0.2140, 0.0, 1.0, 1.0)  # linear; sRGB 0.5, 0, 1
    _, other = principled(obj, "Other")
    other.inputs["Base Color"].default_value = (1, 1, 1, 1)
    obj.data.polygons[3].material_index = 1
    mesh = read(obj).mesh
    np.testing.assert_allclose(mesh.materials[0].base_colour, (0.5, 0, 1, 1), atol=1e-3)
    assert [m.name for m in mesh.materials] == ["Skin", "Other"]
    assert set(mesh.face_material) == {0, 1} and mesh.corner_uv is None


def test_textures_keep_their_bytes_and_their_rows(read):
    obj = ball()
    material, node = principled(obj)
    picture = np.linspace(0, 1, 4 * 8 * 4).reshape(4, 8, 4)
    link_image(material, node, image_of(picture))
    mesh = read(obj).mesh
    np.testing.assert_allclose(mesh.materials[0].texture, (picture * 255 + 0.5).astype(np.uint8), atol=1)
    assert mesh.materials[0].base_colour == (1, 1, 1, 1)
    uv = np.array([tuple(corner.uv) for corner in obj.data.uv_layers[0].data])
    triangle = next(iter(obj.data.loop_triangles))
    np.testing.assert_allclose(mesh.corner_uv[0], uv[list(triangle.loops)], atol=1e-6)


def test_float_textures_are_turned_into_srgb_and_large_ones_are_shrunk(addon, read):
    obj = ball()
    material, node = principled(obj)
    picture = np.ones((16, 4100, 4)) * [0.2140, 0.2140, 0.2140, 1]
    picture[:, 2050:] = [1, 1, 1, 1]
    link_image(material, node, image_of(picture, float_buffer=True))
    texture = read(obj).mesh.materials[0].texture
    assert texture.shape == (16, 2048, 4)
    np.testing.assert_allclose(texture[0, 500, :3], 128, atol=1)
    assert (texture[:, 1025:] == 255).all() and (texture[:, :1023, 0] < 130).all()


def test_a_texture_is_found_through_nodes_and_groups_and_with_its_own_map(read):
    obj = ball()
    obj.data.uv_layers.new(name="Second")
    second = np.random.default_rng(0).random(2 * len(obj.data.loops)).astype(np.float32)
    obj.data.uv_layers["Second"].uv.foreach_set("vector", second)
    obj.data.uv_layers[0].active_render = True
    material, node = principled(obj)
    tree = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image_of(np.ones((2, 2, 4)))
    uv_map = tree.nodes.new("ShaderNodeUVMap")
    uv_map.uv_map = "Second"
    tree.links.new(uv_map.outputs[0], texture.inputs["Vector"])
    inner = bpy.data.node_groups.new("Inner", "ShaderNodeTree")
    inner.interface.new_socket("In", in_out="INPUT", socket_type="NodeSocketColor")
    inner.interface.new_socket("Out", in_out="OUTPUT", socket_type="NodeSocketColor")
    first, last, gamma = (inner.nodes.new(n) for n in ("NodeGroupInput", "NodeGroupOutput", "ShaderNodeGamma"))
    inner.links.new(first.outputs[0], gamma.inputs["Color"])
    inner.links.new(gamma.outputs[0], last.inputs[0])
    group = tree.nodes.new("ShaderNodeGroup")
    group.node_tree = inner
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs[0].default_value = 1.0
    colours = [socket for socket in mix.inputs if socket.type == "RGBA"]
    colours[1].default_value = (1.0, 0.2140, 0.0, 1.0)
    tree.links.new(texture.outputs["Color"], group.inputs[0])
    tree.links.new(group.outputs[0], colours[0])
    tree.links.new(next(s for s in mix.outputs if s.type == "RGBA"), node.inputs["Base Color"])
    mesh = read(obj).mesh
    assert mesh.materials[0].texture is not None
    np.testing.assert_allclose(mesh.materials[0].base_colour, (1, 0.5, 0, 1), atol=1e-3)
    triangle = obj.data.loop_triangles[0]
    np.testing.assert_allclose(mesh.corner_uv[0], second.reshape(-1, 2)[list(triangle.loops)])


def test_a_missing_picture_is_a_warning_and_not_an_error(read):
    obj = ball()
    material, node = principled(obj)
    image = bpy.data.images.new("Lost", 4, 4)
    image.source, image.filepath = "FILE", "/nowhere/lost.png"
    link_image(material, node, image)
    reading = read(obj)
    assert reading.mesh.materials[0].texture is None
    assert "'/nowhere/lost.png' has no pixels" in reading.warnings[0]


@pytest.mark.parametrize("domain", ["POINT", "CORNER"])
@pytest.mark.parametrize("kind", ["BYTE_COLOR", "FLOAT_COLOR"])
def test_colour_attributes_are_sent_as_srgb(read, domain, kind):
    obj = ngon_object()
    attribute = obj.data.color_attributes.new("Paint", kind, domain)
    attribute.data.foreach_set("color", np.tile([0.2140, 1.0, 0.0, 1.0], len(attribute.data)).astype(np.float32))
    colours = read(obj).mesh.vertex_colour
    np.testing.assert_allclose(colours[1:], np.tile([0.5, 1, 0], (10, 1)), atol=5e-3)


def test_colour_attributes_are_left_out_beside_a_texture_that_ignores_them(read):
    obj = ball()
    obj.data.color_attributes.new("Paint", "BYTE_COLOR", "POINT")
    material, node = principled(obj)
    link_image(material, node, image_of(np.ones((2, 2, 4))))
    assert read(obj).mesh.vertex_colour is None
    attribute = material.node_tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = "Paint"
    material.node_tree.links.new(attribute.outputs["Color"], node.inputs["Base Color"])
    assert read(obj).mesh.vertex_colour is not None


def test_what_cannot_be_animated_is_refused_with_one_sentence(read):
    from motion324.core.errors import Motion324Error

    def refused(obj, text):
        with pytest.raises(Motion324Error, match=text):
            read(obj)

    refused(None, "No object is active. Select a mesh object")
    camera = bpy.data.objects.new("Cam", bpy.data.cameras.new("Cam"))
    refused(camera, "'Cam' is no mesh")
    refused(add_object("Empty", bpy.data.meshes.new("Empty")), "The mesh of 'Empty' has no faces")
    obj = ngon_object("Broken")
    obj.data.vertices[3].co.x = float("nan")
    refused(obj, "1 vertices of 'Broken' lie at no number")
    flat = ngon_object("Flat")
    flat.scale = (1, 0, 1)
    refused(flat, "'Flat' is scaled to zero")
    away = bpy.data.objects.new("Away", ngon_object("Other").data)
    refused(away, "'Away' is not part of the view layer")
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    refused(obj, "'Broken' is in Edit Mode")
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("switch", ["object", "keyed", "driven", "strip", "collection", "outer collection", "eye"])
def test_an_object_that_the_viewport_does_not_show_is_read_as_it_would_show_it(addon, read, switch):
    scene = bpy.context.scene
    outer, inner = bpy.data.collections.new("Outer"), bpy.data.collections.new("Inner")
    scene.collection.children.link(outer)
    outer.children.link(inner)
    obj = ball()
    for collection in obj.users_collection:
        collection.objects.unlink(obj)
    inner.objects.link(obj)
    obj.modifiers.new("Wave", "WAVE").height = 0.5
    parent = bpy.data.objects.new("Parent", None)
    scene.collection.objects.link(parent)
    obj.parent = parent
    scene.frame_set(5)
    expected = read(obj)
    if switch == "object":
        obj.hide_viewport = True
    elif switch == "keyed":
        obj.hide_viewport = True
        obj.keyframe_insert("hide_viewport", frame=1)
    elif switch == "driven":
        obj.driver_add("hide_viewport").driver.expression = "1"
        bpy.context.view_layer.update()
    elif switch == "strip":
        obj.hide_viewport = True
        obj.keyframe_insert("hide_viewport", frame=1)
        action, obj.animation_data.action = obj.animation_data.action, None
        obj.animation_data.nla_tracks.new().strips.new("Strip", 1, action)
    elif switch == "eye":
        obj.hide_set(True)
    else:
        (inner if switch == "collection" else outer).hide_viewport = True
    parent.location.x, parent.scale = 3.0, (1, 2, 1)

    def state():
        switches = (obj.hide_viewport, obj.hide_get(), inner.hide_viewport, outer.hide_viewport)
        return switches, [each.name for each in obj.users_collection], [m.show_viewport for m in obj.modifiers]

    before = state()
    found = read(obj)
    assert state() == before
    np.testing.assert_allclose(found.mesh.positions, expected.mesh.positions * [1, 2, 1], atol=1e-6)
    assert np.abs(expected.mesh.positions - rest(obj)).max() > 0.2
    assert found.place[0] == 3.0
    samples = dict(addon("scene.exporting.sampling").sample_positions(obj, 5, 7))
    np.testing.assert_allclose(samples[5] * [1, 2, 1], found.mesh.positions, atol=1e-6)
    assert np.abs(samples[7] - samples[5]).max() > 1e-3
    assert state() == before
