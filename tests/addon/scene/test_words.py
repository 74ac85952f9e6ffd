"""What people read when a path leads nowhere, and when an object belongs to another file."""

from __future__ import annotations

import bpy
import pytest
from addon.shapes import ball


def test_a_path_beside_a_blend_that_is_not_saved_is_told_as_such(addon, tmp_path):
    properties, facts = addon("settings.properties"), addon("settings.source_video")
    settings = bpy.context.scene.motion324
    settings.video = "//fox.mp4"
    assert facts.facts_of(settings.video).problem == "'//fox.mp4' lies beside the .blend: save that first"
    from motion324.core.errors import Motion324Error

    with pytest.raises(Motion324Error, match=r"'//fox\.mp4' lies beside the \.blend, which has not been saved yet"):
        properties.video_of(settings)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    with pytest.raises(Motion324Error, match=f"There is no video '{tmp_path / 'fox.mp4'}'"):
        properties.video_of(bpy.context.scene.motion324)


def test_a_linked_object_is_not_offered_a_mesh_of_its_own(addon, tmp_path):
    ball("Cat")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, here):
        here.objects = ["Cat"]
    cat = bpy.data.objects["Cat"]
    bpy.context.scene.collection.objects.link(cat)
    bpy.context.view_layer.objects.active = cat
    shape_keys = addon("scene.playing.shape_keys")
    assert shape_keys.reason_to_copy(cat) and not shape_keys.can_copy(cat)
    assert not bpy.ops.motion324.make_single_user.poll()
    from motion324.core.errors import Motion324Error

    with pytest.raises(Motion324Error, match="only that file can change it") as told:
        shape_keys.check_single_user(cat)
    assert "Make Local" in told.value.hint
