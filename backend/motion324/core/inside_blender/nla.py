"""The NLA editor of a data-block: what there keeps an action from counting in full, and making actions strips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BLENDING = {"action_influence": 1.0, "action_blend_type": "REPLACE", "action_extrapolation": "HOLD"}


def leave_tweaking(data: Any) -> None:
    """Ends the editing of a strip (Tab in the NLA editor), during which Blender lets no other action be set. What was
    edited stays in the strip.
    """
    animation = data.animation_data
    if animation is not None and animation.use_tweak_mode:
        animation.use_tweak_mode = False


def make_way(animation: Any) -> dict[str, Any]:
    """Lets the active action count in full, whatever strips are below. Of tracks of which one was heard alone (its
    star), the others are muted instead. Returns what `put_back` takes.
    """
    before = {name: getattr(animation, name) for name in _BLENDING}
    for name, value in _BLENDING.items():
        setattr(animation, name, value)
    alone = [track for track in animation.nla_tracks if track.is_solo]
    muted = []
    for track in alone:
        muted = [each for each in animation.nla_tracks if each not in alone and not each.mute]
        track.is_solo = False
    for track in muted:
        track.mute = True
    names = {"solo": [track.name for track in alone], "muted": [track.name for track in muted]}
    return {"blending": before, **names, "use_nla": bool(animation.use_nla)}


def put_back(animation: Any, before: Mapping[str, Any]) -> None:
    """As it was before `make_way`, and before `push_down` after it."""
    for name, value in before["blending"].items():
        setattr(animation, name, value)
    tracks = animation.nla_tracks
    for name in before["muted"]:
        if name in tracks:
            tracks[name].mute = False
    for name in before["solo"]:
        if name in tracks:
            tracks[name].is_solo = True
    animation.use_nla = before["use_nla"]


def push_down(data: Any, action: Any) -> list[str]:
    """Makes the active action a strip of a track of its own. Where the editor is switched off, it is switched on, with
    all other tracks muted, whose names are returned.
    """
    animation = data.animation_data
    leave_tweaking(data)
    muted = [] if animation.use_nla else [track for track in animation.nla_tracks if not track.mute]
    for other in muted:
        other.mute = True
    animation.use_nla = True
    slot = getattr(animation, "action_slot", None)
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(action.frame_range[0]), action)
    strip.frame_start, strip.frame_end = action.frame_range  # both were rounded; a longer strip begins anew at its end
    if slot is not None:
        strip.action_slot = slot
    animation.action = None
    return [other.name for other in muted]
