"""Has the operator that saves, and removes, the settings of a job under a name of one's own."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

from ..settings.properties import JobProperties
from ..ui.menu import PRESET_FOLDER, PRESETS

OF_THE_SHOT = ("video", "mask_path", "start_frame", "first_frame", "frame_count", "azimuth", "elevation")


def kept_settings() -> list[str]:
    """What goes into a preset: all but what belongs to one video and one scene."""
    return [name for name in JobProperties.__annotations__ if name not in OF_THE_SHOT]


class MOTION324_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Save the settings under a name, or remove the chosen preset; video, masks, frames and angles are no part of it"""

    bl_idname = "motion324.add_preset"
    bl_label = "Add Motion324 Preset"
    preset_menu = PRESETS
    preset_subdir = PRESET_FOLDER

    @property
    def preset_values(self) -> list[str]:
        """By whole paths: a name that `preset_defines` gives is unknown where an older Blender runs on Python 3.13, as
        Linux distributions have it."""
        return [f"bpy.context.scene.motion324.{name}" for name in kept_settings()]
