"""One file per thing that a user does."""

from __future__ import annotations

import bpy

from . import (
    align_view,
    animate,
    cancel,
    cancel_installation,
    cancel_look,
    check_installation,
    copy_report,
    discard,
    dismiss_installation,
    export,
    find_view,
    install_backend,
    install_from_folder,
    keep_point_cache,
    keep_shape_keys,
    make_single_user,
    new_mesh,
    open_installation_log,
    open_log,
    overlay,
    pick_video,
    preview_mask,
    remove_animation,
    remove_backend,
    restart,
    take_view,
    turntable,
    unqueue,
)

CLASSES = (
    align_view.MOTION324_OT_align_view,
    animate.MOTION324_OT_animate,
    cancel.MOTION324_OT_cancel,
    cancel_installation.MOTION324_OT_cancel_installation,
    cancel_look.MOTION324_OT_cancel_look,
    check_installation.MOTION324_OT_check_installation,
    copy_report.MOTION324_OT_copy_report,
    discard.MOTION324_OT_discard,
    dismiss_installation.MOTION324_OT_dismiss_installation,
    export.MOTION324_OT_export,
    find_view.MOTION324_OT_find_view,
    install_backend.MOTION324_OT_install_backend,
    install_from_folder.MOTION324_OT_install_from_folder,
    keep_point_cache.MOTION324_OT_keep_point_cache,
    keep_shape_keys.MOTION324_OT_keep_shape_keys,
    make_single_user.MOTION324_OT_make_single_user,
    new_mesh.MOTION324_OT_add_new_mesh,
    new_mesh.MOTION324_OT_new_mesh,
    open_installation_log.MOTION324_OT_open_installation_log,
    open_log.MOTION324_OT_open_log,
    overlay.MOTION324_OT_overlay,
    pick_video.MOTION324_OT_pick_video,
    preview_mask.MOTION324_OT_preview_mask,
    preview_mask.MOTION324_OT_show_mask,
    remove_animation.MOTION324_OT_remove_animation,
    remove_backend.MOTION324_OT_remove_backend,
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
