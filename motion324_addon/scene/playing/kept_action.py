"""Names the action of a kept animation's shape keys, and takes its strips out of the NLA editor again.

An action that has others' curves as well is left alone.
"""

from __future__ import annotations

from collections.abc import Collection

import bpy

from motion324.core.inside_blender.nla import leave_tweaking

from . import fcurves

MARK = "motion324_kept"  # a custom property of actions that have a kept animation and nothing else


def take(keys: bpy.types.Key, names: Collection[str], name: str) -> None:
    """Gives the action of these shape keys the name, where it animates no others."""
    paths = {f'key_blocks["{each}"].value' for each in names}
    curves = fcurves.curves_of(keys)
    if len(curves) and {curve.data_path for curve in curves} <= paths:
        action = keys.animation_data.action
        action.name, action[MARK] = name, True


def remove_strips(keys: bpy.types.Key) -> None:
    """Removes the tracks that hold nothing but kept animations, with their actions where nobody else uses them."""
    animation = keys.animation_data
    leave_tweaking(keys)  # or Blender goes on with the strip that is gone
    for track in list(animation.nla_tracks) if animation is not None else ():
        actions = [strip.action for strip in track.strips]
        if actions and all(action is not None and MARK in action for action in actions):
            animation.nla_tracks.remove(track)
            for action in set(actions):
                if action.users == 0:
                    bpy.data.actions.remove(action)
