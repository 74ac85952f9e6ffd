"""The sidebar: its panels, in the order of work, draw what state and settings say, and decide nothing.

Only the add-on's own registration imports this room.
"""

from __future__ import annotations

import bpy

from ..examining import looks
from ..examining import new_mesh as making
from ..installation import drawing
from ..settings import source_video
from ..ui import first_frame, thumbnails
from . import animate, check, correcting, mask_and_view, quality, result, showing, sidebar, source, tweak

CLASSES = (
    drawing.MOTION324_PT_other_ways,
    sidebar.MOTION324_PT_set_up,
    source.MOTION324_PT_new_mesh,
    result.MOTION324_PT_rig,
    animate.MOTION324_PT_animate,
    tweak.MOTION324_PT_tweak,
    check.MOTION324_PT_check,
    correcting.MOTION324_PT_corrections,
    source.MOTION324_PT_frames,
    mask_and_view.MOTION324_PT_cut_out,
    mask_and_view.MOTION324_PT_camera,
    quality.MOTION324_PT_quality,
    showing.MOTION324_PT_show,
    showing.MOTION324_PT_export,
)


def register() -> None:
    thumbnails.register()
    looks.register()
    making.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    making.unregister()
    looks.unregister()
    source_video.forget()
    first_frame.forget()
    thumbnails.unregister()
