"""One file per thing that a user does."""

from __future__ import annotations

import bpy

from . import (
    animate,
    cancel,
    discard,
    export,
    keep_point_cache,
    keep_shape_keys,
    make_single_user,
    open_log,
    pick_video,
    remove_animation,
    take_view,
    turntable,
)

CLASSES = (
    animate.MOTION324_OT_animate,
    cancel.MOTION324_OT_cancel,
    discard.MOTION324_OT_discard,
    export.MOTION324_OT_export,
    keep_point_cache.MOTION324_OT_keep_point_cache,
    keep_shape_keys.MOTION324_OT_keep_shape_keys,
    make_single_user.MOTION324_OT_make_single_user,
    open_log.MOTION324_OT_open_log,
    pick_video.MOTION324_OT_pick_video,
    remove_animation.MOTION324_OT_remove_animation,
    take_view.MOTION324_OT_take_view,
    turntable.MOTION324_OT_turntable,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
