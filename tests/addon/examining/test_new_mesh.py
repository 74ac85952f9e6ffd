"""A new mesh from the video: the object that it becomes, what the backend is asked, undo, errors, and animating it."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
from addon.shapes import ball, rest


@pytest.fixture
def making(addon, backend):
    module = addon("examining.new_mesh")
    module.mesh_look.stop()
    yield module
    module.mesh_look.stop()


def new_mesh(video, **more) -> bpy.types.Object:
    assert bpy.ops.motion324.new_mesh(video=str(video), **more) == {"FINISHED"}
    return bpy.context.object


def wait_for(making, holds, seconds: float = 20) -> None:
    """As the timer of a window would."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        making.mesh_look._tick()
        time.sleep(0.02)


def test_the_mesh_stands_upright_with_its_front_towards_the_viewer(making, video):
    bpy.context.scene.cursor.location = (3, 1, 0.5)
    other = ball()
    obj = new_mesh(video())
    assert obj.type == "MESH" and obj.name == "video0" and bpy.context.selected_objects == [obj]
    assert not other.select_get()
    assert tuple(obj.location) == (3, 1, 0.5)
    positions = rest(obj)
    np.testing.assert_allclose(positions.min(axis=0), [-0.4, -0.4, 0], atol=1e-6)
    np.testing.assert_allclose(positions.max(axis=0), [0.4, 0.4, 2], atol=1e-6)
    normals = np.array([polygon.normal for polygon in obj.data.polygons])
    middles = np.array([polygon.center for polygon in obj.data.polygons])
    assert ((middles - [0, 0, 1]) * normals).sum(axis=1).min() > 0  # outwards
    assert all(polygon.use_smooth for polygon in obj.data.polygons)
    assert obj.data.validate() is False  # nothing had to be mended


def test_a_painted_mesh_shows_its_picture(addon, making, video):
    obj = new_mesh(video())
    (material,) = obj.data.materials
    image = next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    assert tuple(image.size) == (8, 4) and image.packed_file
    pixels = np.array(image.pixels).reshape(4, 8, 4)
    np.testing.assert_allclose(pixels[:2, :, :3], np.broadcast_to([0, 0, 1], (2, 8, 3)), atol=1e-3)  # blue below
    uv = np.array([loop.uv for loop in obj.data.uv_layers.active.data])
    heights = np.array([obj.data.vertices[loop.vertex_index].co.z for loop in obj.data.loops])
    np.testing.assert_allclose(uv[:, 1], heights / 2, atol=1e-6)  # the picture's top is the body's
    reading = addon("scene.reading.joining").read_objects_in_steps([obj], 1)
    mesh = [step for step in reading if step is not None][-1].completed().mesh
    assert mesh.materials[0].texture.shape == (4, 8, 4) and (mesh.materials[0].texture[0, 0, :3] == (255, 0, 0)).all()


def test_a_mesh_with_coloured_vertices_keeps_them(making, video):
    obj = new_mesh(video(), mesh_texture=False)
    colours = np.array([colour.color_srgb for colour in obj.data.color_attributes.active_color.data])
    front = rest(obj)[:, 1] < 0
    np.testing.assert_allclose(colours[front], np.broadcast_to([1, 0, 0, 1], (4, 4)), atol=1e-3)
    (material,) = obj.data.materials
    assert any(node.type == "VERTEX_COLOR" for node in material.node_tree.nodes)


def test_the_settings_reach_the_backend_and_the_next_animation_knows_the_view(addon, making, video):
    settings = bpy.context.scene.motion324
    settings.view = "auto"
    path = video()
    new_mesh(path, first_frame=4, seed=7)
    made = making.made()
    assert (made.frame_number, made.provider) == (4, "inflate")
    obj = bpy.context.object
    assert obj["motion324_seen_from"] == "front" and settings.view == "auto" and settings.video == str(path)
    view_of = addon("settings.properties").view_of
    assert view_of(settings, bpy.context) == "front"
    ball("Another")
    assert view_of(settings, bpy.context) == "auto"  # of which the video says nothing
    bpy.context.view_layer.objects.active = obj
    assert bpy.ops.motion324.animate(only_active=True) == {"FINISHED"}


def test_one_undo_takes_it_away(making, video):
    ball()
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.motion324.new_mesh("EXEC_DEFAULT", True, video=str(video())) == {"FINISHED"}
    assert len(bpy.data.objects) == 2
    bpy.ops.ed.undo()
    assert [obj.name for obj in bpy.data.objects] == ["Ball"]


def test_made_and_animated_in_one_go(addon, making, video):
    ball()
    obj = new_mesh(video(frames=5), animate=True, keep="SHAPE_KEYS")
    assert obj.name == "video0" and len(obj.data.shape_keys.key_blocks) == 6  # and the basis
    runner = addon("job.runner").runner
    waiting = new_mesh(video(frames=3), animate=True)
    assert [animation.target.get() for animation in runner.animations] == [waiting]


def test_what_goes_wrong_is_one_sentence(making, video):
    with pytest.raises(RuntimeError, match=r"shows nothing\. Choose another video"):
        bpy.ops.motion324.new_mesh(video=str(video(do="fail")))
    with pytest.raises(RuntimeError, match="No video has been chosen"):
        bpy.ops.motion324.new_mesh(video="")
    with pytest.raises(RuntimeError, match="no address is given"):
        bpy.ops.motion324.new_mesh(video=str(video()), mesh_provider="hunyuan3d-server")
    if not bpy.app.online_access:
        with pytest.raises(RuntimeError, match="no permission for online access"):
            bpy.ops.motion324.new_mesh(
                video=str(video()), mesh_provider="hunyuan3d-server", hunyuan_server="https://far.example:8081"
            )
    assert not bpy.data.objects


def test_a_licence_that_restricts_is_told(making, video, capfd):
    new_mesh(video(), mesh_provider="hunyuan3d-server", hunyuan_server="http://127.0.0.1:1")
    assert making.made().licence == "Its licence restricts this."
    assert "Its licence restricts this." in capfd.readouterr().out


def test_in_edit_mode_the_other_mesh_is_left_as_it_is(making, video):
    other = ball()
    bpy.ops.object.mode_set(mode="EDIT")
    obj = new_mesh(video())
    assert bpy.context.mode == "OBJECT" and bpy.context.object == obj
    assert len(other.data.vertices) == 114


def test_in_a_window_it_is_made_beside_the_work_and_can_be_stopped(addon, making, video, monkeypatch):
    settings = bpy.context.scene.motion324
    chosen = bpy.context.scene.motion324_new_mesh
    settings.video = str(video(do="wait"))
    making.mesh_look.start(making.question_of(settings, chosen))
    wait_for(making, lambda: making.mesh_look.look.stage == "mesh")
    assert bpy.ops.motion324.cancel_look(look="NEW_MESH") == {"FINISHED"}
    assert not making.mesh_look.look.running and not bpy.data.objects
    settings.video = str(video())
    making.mesh_look.start(making.question_of(settings, chosen))
    wait_for(making, lambda: not making.mesh_look.look.running)
    assert [obj.name for obj in bpy.data.objects] == ["video1"]


def test_opening_another_file_ends_it(making, video):
    settings = bpy.context.scene.motion324
    settings.video = str(video(do="wait"))
    making.mesh_look.start(making.question_of(settings, bpy.context.scene.motion324_new_mesh))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not making.mesh_look.look.running
