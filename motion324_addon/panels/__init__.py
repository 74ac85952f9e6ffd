"""The sidebar: its panels, in the order of work, draw what state and settings say, and decide nothing.

Only the add-on's own registration imports this room.
"""

from __future__ import annotations

import bpy

from ..examining import looks
from ..examining import new_mesh as making
from ..settings import source_video
from ..ui import first_frame, thumbnails
from . import animate, correcting, mask_and_view, result, showing, sidebar, source

CLASSES = (
    sidebar.MOTION324_PT_set_up,
    source.MOTION324_PT_new_mesh,
    source.MOTION324_PT_source,
    mask_and_view.MOTION324_PT_foreground,
    mask_and_view.MOTION324_PT_view,
    animate.MOTION324_PT_reconstruct,
    animate.MOTION324_PT_animate,
    result.MOTION324_PT_result,
    correcting.MOTION324_PT_corrections,
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
