"""Several objects are one mesh to a job, and come back as themselves."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import ball, ngon_object, rest, shown
from addon.wobble import wobbled


def in_world(obj, positions):
    matrix = np.array(obj.matrix_world)
    return positions @ matrix[:3, :3].T + matrix[:3, 3]


def two_objects():
    """A textured ball and a painted prism, turned, stretched and apart; both selected, the ball active."""
    prism, one = ngon_object("Prism"), ball()
    one.location, one.rotation_euler, one.scale = (4, 0, 1), (0.3, 0.2, 0.1), (1, 2, 0.5)
    prism.location, prism.scale = (2, 1, 1), (-1, 1, 1)
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("Picture", 4, 4)
    texture.image.pixels.foreach_set(np.tile([1, 0, 0, 1], 16).astype(np.float32))
    principled = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    one.data.materials.append(material)
    paint = prism.data.color_attributes.new("Paint", "FLOAT_COLOR", "POINT")
    paint.data.foreach_set("color", np.tile([0.0, 1.0, 0.0, 1.0], len(paint.data)).astype(np.float32))
    prism.select_set(True)
    bpy.context.view_layer.update()
    return one, prism


def test_the_joined_mesh_shows_all_objects_where_they_are_and_as_they_look(addon):
    one, prism = two_objects()
    reading = addon("scene.reading.joining").read_objects([one, prism])
    mesh, place = reading.mesh, np.array([3.0, 0.5, 1.0])
    count = len(one.data.vertices)
    np.testing.assert_allclose(mesh.positions[:count] + place, in_world(one, rest(one)), atol=1e-6)
    np.testing.assert_allclose(mesh.positions[count:] + place, in_world(prism, rest(prism)), atol=1e-6)
    assert (mesh.name, mesh.up) == ("Ball + Prism", "Z")
    assert [material.name for material in mesh.materials] == ["Skin", "none"]
    assert mesh.materials[0].texture is not None and mesh.materials[1].texture is None
    of_prism = mesh.faces[:, 0] >= count
    assert (mesh.faces[of_prism] >= count).all() and (mesh.faces[~of_prism] < count).all()
    np.testing.assert_array_equal(mesh.face_material, of_prism.astype(np.int32))
    assert (mesh.corner_uv[of_prism] == 0).all() and np.ptp(mesh.corner_uv[~of_prism]) > 0.5
    np.testing.assert_allclose(mesh.vertex_colour[:count], 1)
    np.testing.assert_allclose(mesh.vertex_colour[count + 1 :], np.tile([0, 1, 0], (10, 1)), atol=1e-4)
    for share, obj in zip(reading.shares, (one, prism), strict=True):
        np.testing.assert_allclose(share.own(mesh.positions[None])[0], rest(obj), atol=2e-6)
    corners = mesh.faces.ravel()
    centre = (mesh.positions[corners].min(axis=0) + mesh.positions[corners].max(axis=0)) / 2 + place
    np.testing.assert_allclose(reading.space.centre, centre, atol=1e-6)


def test_one_object_is_read_as_it_is_alone(addon):
    one, _ = two_objects()
    alone = addon("scene.reading.mesh_reading").read_reference(one)
    joint = addon("scene.reading.joining").read_objects([one])
    np.testing.assert_array_equal(joint.mesh.positions, alone.mesh.positions)
    assert joint.members[0].topology == alone.topology and joint.shares[0].orientation.offset == (0, 0, 0)


def test_one_that_cannot_be_animated_is_named(addon):
    from motion324.core.errors import Motion324Error

    one, prism = two_objects()
    prism.data.vertices[2].co.x = float("nan")
    with pytest.raises(Motion324Error, match="1 vertices of 'Prism' lie at no number"):
        addon("scene.reading.joining").read_objects([one, prism])
    with pytest.raises(Motion324Error, match="No object is active"):
        addon("scene.reading.joining").read_objects([])


@pytest.fixture
def expected(addon):
    """expected(objects, frame) is where the tests' backend puts the objects' vertices in the world, each (N, 3)."""

    def make(objects, frame):
        reading = addon("scene.reading.joining").read_objects(objects)
        moved = wobbled(reading.mesh.positions, frame)
        place = np.mean([np.array(obj.matrix_world.translation) for obj in objects], axis=0)
        return [moved[s.first : s.first + s.count] + place for s in reading.shares]

    return make


def test_selected_objects_move_as_one_and_come_back_as_themselves(addon, backend, video, expected):
    one, prism = two_objects()
    wanted = [expected([one, prism], frame) for frame in range(4)]
    faces = [len(obj.data.polygons) for obj in (one, prism)]
    assert bpy.ops.motion324.animate(video=str(video(frames=4)), keep="SHAPE_KEYS") == {"FINISHED"}
    for frame in range(4):
        for obj, positions in zip((one, prism), wanted[frame], strict=True):
            np.testing.assert_allclose(in_world(obj, shown(obj, 1 + frame)), positions, atol=1e-5)
    assert [len(obj.data.polygons) for obj in (one, prism)] == faces
    assert not addon("job.runner").runner.animations


def test_each_object_may_be_kept_in_its_own_way(addon, backend, video, expected, tmp_path):
    one, prism = two_objects()
    wanted = expected([one, prism], 2)
    bpy.ops.motion324.animate(video=str(video(frames=4)))
    assert bpy.ops.motion324.keep_shape_keys(object_name="Prism") == {"FINISHED"}
    assert one.data.shape_keys is None and len(prism.data.shape_keys.key_blocks) == 5
    assert bpy.ops.motion324.keep_shape_keys(object_name="Prism") == {"FINISHED"}  # its take once more, not another
    assert one.data.shape_keys is None and len(prism.data.shape_keys.key_blocks) == 5
    bpy.ops.motion324.keep_point_cache(object_name="Ball", folder=str(tmp_path))
    assert not addon("job.runner").runner.results
    for obj, positions in zip((one, prism), wanted, strict=True):
        np.testing.assert_allclose(in_world(obj, shown(obj, 3)), positions, atol=1e-5)


def test_one_object_may_be_discarded_and_the_other_kept(addon, backend, video):
    one, prism = two_objects()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    assert bpy.ops.motion324.discard(object_name="Ball") == {"FINISHED"}
    with pytest.raises(RuntimeError, match="No result waits for 'Ball'"):
        bpy.ops.motion324.discard(object_name="Ball")
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    assert one.data.shape_keys is None and len(prism.data.shape_keys.key_blocks) == 4


def test_a_name_means_the_object_of_the_job_whose_number_is_given(addon, backend, video):
    one, prism = two_objects()
    bpy.ops.motion324.animate(video=str(video(frames=3)), only_active=True)
    number = addon("job.runner").runner.results[0].number
    other = prism if bpy.context.object is one else one
    with pytest.raises(RuntimeError, match=f"No result waits for '{other.name}'"):
        bpy.ops.motion324.discard(job=number, object_name=other.name)
    assert bpy.ops.motion324.keep_shape_keys(job=number, object_name=bpy.context.object.name) == {"FINISHED"}
    assert other.data.shape_keys is None and len(bpy.context.object.data.shape_keys.key_blocks) == 4


def test_undo_takes_all_of_them_back_in_one_step(addon, backend, video):
    two_objects()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion324.keep_shape_keys("EXEC_DEFAULT", True) == {"FINISHED"}
    assert all(bpy.data.objects[name].data.shape_keys for name in ("Ball", "Prism"))
    bpy.ops.ed.undo()
    assert not any(bpy.data.objects[name].data.shape_keys for name in ("Ball", "Prism"))


def test_keeping_all_or_none(addon, backend, video):
    one, prism = two_objects()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    steps = addon("scene.playing.keeping").keep_all_as_shape_keys(addon("job.runner").runner.animations)
    for _ in range(5):  # the first object's three keys, and two of the other's
        next(steps)
    steps.close()
    assert one.data.shape_keys is None and prism.data.shape_keys is None
    prism.data.clear_geometry()
    with pytest.raises(RuntimeError, match="'Prism' was changed since"):
        bpy.ops.motion324.keep_shape_keys()
    assert one.data.shape_keys is None
