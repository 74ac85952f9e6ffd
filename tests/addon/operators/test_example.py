"""Load Example: the mesh, the video and the view in one click."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

ROOT = Path(__file__).resolve().parents[3]


def test_the_example_is_seen_from_where_its_video_sees_it(addon):
    bpy.ops.motion324.load_example()
    assert bpy.context.object.type == "MESH" and Path(bpy.context.scene.motion324.video).name == "shiba.mp4"
    with np.load(ROOT / "examples/shiba_truth.npz") as truth:
        azimuth, elevation = (math.radians(float(truth[name])) for name in ("azimuth", "elevation"))
    area = addon("scene.showing.view_angles").viewport_area(bpy.context)
    eye = area.spaces.active.region_3d.view_rotation @ Vector((0, 0, 1))  # from the mesh; 0 is -Y, 90 degrees +X
    across = math.cos(elevation)
    towards = across * math.sin(azimuth), -across * math.cos(azimuth), math.sin(elevation)
    np.testing.assert_allclose(eye, towards, atol=1e-5)
