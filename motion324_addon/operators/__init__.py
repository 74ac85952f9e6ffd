"""What a person does, by subject: the buttons' operators. Only the add-on's own registration imports this room."""

from __future__ import annotations

import bpy

from . import (
    animation,
    correcting,
    dropping,
    example,
    exporting,
    installation,
    looks,
    nla,
    pinning,
    playing,
    presets,
    queueing,
    results,
    rigging,
    showing,
    takes,
    trust,
    views,
)

CLASSES = (
    installation.MOTION324_OT_install_backend,
    installation.MOTION324_OT_install_from_folder,
    installation.MOTION324_OT_check_installation,
    installation.MOTION324_OT_copy_report,
    installation.MOTION324_OT_remove_backend,
    installation.MOTION324_OT_cancel_installation,
    installation.MOTION324_OT_dismiss_installation,
    installation.MOTION324_OT_open_installation_log,
    installation.MOTION324_OT_open_preferences,
    example.MOTION324_OT_load_example,
    animation.MOTION324_OT_pick_video,
    animation.MOTION324_OT_animate,
    animation.MOTION324_OT_cancel,
    animation.MOTION324_OT_unqueue,
    queueing.MOTION324_OT_requeue,
    queueing.MOTION324_OT_cancel_all,
    queueing.MOTION324_OT_try_again,
    animation.MOTION324_OT_restart,
    animation.MOTION324_OT_open_log,
    looks.MOTION324_OT_preview_mask,
    looks.MOTION324_OT_show_mask,
    looks.MOTION324_OT_new_mesh,
    looks.MOTION324_OT_add_new_mesh,
    looks.MOTION324_OT_cancel_look,
    views.MOTION324_OT_take_view,
    views.MOTION324_OT_find_view,
    views.MOTION324_OT_align_view,
    results.MOTION324_OT_keep_shape_keys,
    results.MOTION324_OT_keep_point_cache,
    rigging.MOTION324_OT_keep_armature,
    rigging.MOTION324_OT_keep_rig,
    results.MOTION324_OT_discard,
    takes.MOTION324_OT_bring_back,
    takes.MOTION324_OT_choose_take,
    takes.MOTION324_OT_remove_take,
    playing.MOTION324_OT_play,
    trust.MOTION324_OT_go_to_frame,
    trust.MOTION324_OT_show_doubt,
    results.MOTION324_OT_make_single_user,
    results.MOTION324_OT_remove_animation,
    nla.MOTION324_OT_push_to_nla,
    presets.MOTION324_OT_add_preset,
    dropping.MOTION324_OT_drop_video,
    dropping.MOTION324_FH_video,
    pinning.MOTION324_OT_pin_point,
    pinning.MOTION324_OT_pin_still,
    correcting.MOTION324_OT_edit_pose,
    correcting.MOTION324_OT_take_pose,
    correcting.MOTION324_OT_discard_pose,
    pinning.MOTION324_OT_remove_pin,
    correcting.MOTION324_OT_refine,
    showing.MOTION324_OT_overlay,
    showing.MOTION324_OT_hide_overlay,
    showing.MOTION324_OT_turntable,
    exporting.MOTION324_OT_export,
    exporting.MOTION324_OT_export_vertex_textures,
    exporting.MOTION324_OT_export_rig,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
