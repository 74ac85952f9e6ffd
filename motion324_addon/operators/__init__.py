"""One file per thing that a user does."""

from __future__ import annotations

import bpy

from . import (
    align_view,
    animate,
    cancel,
    cancel_look,
    discard,
    export,
    find_view,
    keep_point_cache,
    keep_shape_keys,
    make_single_user,
    open_log,
    overlay,
    pick_video,
    preview_mask,
    remove_animation,
    restart,
    take_view,
    turntable,
    unqueue,
)

CLASSES = (
    align_view.MOTION324_OT_align_view,
    animate.MOTION324_OT_animate,
    cancel.MOTION324_OT_cancel,
    cancel_look.MOTION324_OT_cancel_look,
    discard.MOTION324_OT_discard,
    export.MOTION324_OT_export,
    find_view.MOTION324_OT_find_view,
    keep_point_cache.MOTION324_OT_keep_point_cache,
    keep_shape_keys.MOTION324_OT_keep_shape_keys,
    make_single_user.MOTION324_OT_make_single_user,
    open_log.MOTION324_OT_open_log,
    overlay.MOTION324_OT_overlay,
    pick_video.MOTION324_OT_pick_video,
    preview_mask.MOTION324_OT_preview_mask,
    preview_mask.MOTION324_OT_show_mask,
    remove_animation.MOTION324_OT_remove_animation,
    restart.MOTION324_OT_restart,
    take_view.MOTION324_OT_take_view,
    turntable.MOTION324_OT_turntable,
    unqueue.MOTION324_OT_unqueue,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
