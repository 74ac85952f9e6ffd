"""Tells what the settings will give, what a button would work on, and why it is grey."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from motion324.core.errors import Motion324Error

from ..job.estimate import JobSize, estimate_seconds, guessed_stages
from ..job.runner import runner
from ..runner_base.state import duration
from ..scene.playing import keeping, shape_keys, timing
from ..scene.playing.animation import Animation
from ..scene.reading.mesh_reading import checked_object
from ..scene.rigging import made_rig, own_rig
from ..settings import preferences, properties
from ..settings.properties import FEWEST_FRAMES
from ..settings.source_video import VideoFacts, facts_of
from . import choices
from .own_language import in_own_language
from .phrases import phrase

SAME_SPEED = 0.02


@dataclass(frozen=True)
class Outcome:
    """frames: of the video that are used. first, last: frames of the scene. seconds: until the last one's end.

    fps: at which the frames are shown. video_rate: of these frames, in the video.
    """

    frames: int
    first: int
    last: int
    seconds: float
    fps: float
    video_rate: float


def speed_of(outcome: Outcome) -> str:
    """How much faster or slower than the video the scene will show it, where that is to be seen; "" where it is not."""
    fitted = outcome.seconds / max(outcome.frames, 1) * outcome.video_rate
    if abs(fitted - 1) < SAME_SPEED:
        return ""
    if fitted < 1:
        return phrase("{times} times faster than the video", times=f"{1 / fitted:.2g}")
    return phrase("{times} times slower than the video", times=f"{fitted:.2g}")


@dataclass(frozen=True)
class Status:
    """A line for the panel, and the icon before it."""

    text: str
    icon: str


def outcome_of(settings: Any, facts: VideoFacts, scene: Any) -> Outcome:
    """settings: `properties.JobProperties`; scene: the bpy.types.Scene whose frame rate counts."""
    start, stop, step = properties.frames_of(settings)
    frames = len(range(*slice(start, stop, step).indices(facts.frames)))
    rate = facts.fps / step
    if 0 < settings.video_fps < rate:
        frames, rate = min(frames, math.ceil(frames * settings.video_fps / rate)), settings.video_fps
    video_rate = rate
    fps = settings.custom_fps if settings.timing == timing.CUSTOM_FPS else rate
    fitted = timing.fit(scene, settings.start_frame, max(frames, 1), fps, settings.timing)
    first, last = fitted.whole_frames
    return Outcome(frames, first, last, frames * fitted.step / timing.scene_fps(scene), fps, video_rate)


def reason_against(context: bpy.types.Context) -> str:
    """What is missing before the active object can be animated, as advice; "" if nothing is."""
    return reason_against_object(context) or reason_against_video(context) or _about_view(context)


def status_of(context: bpy.types.Context, now: float, match: float | None = None) -> Status:
    """What the one line below the button Animate says: of the job that runs, or else of the active object.

    match: how well the mesh looks like the video, 0..1, where that was looked at.
    """
    state, obj = runner.state, context.object
    if state.busy:
        passed, left = duration(state.seconds(now)), state.remaining_total
        return Status(
            phrase("{passed}, about {left} left", passed=passed, left=duration(left)) if left else passed, "TIME"
        )
    reason = reason_against(context)
    waiting = runner.result_of(obj)
    if waiting is not None:
        if not waiting.seconds(0.0):  # one that was kept, and waits again
            return Status(phrase("{count} frames", count=waiting.frames), "CHECKMARK")
        took = duration(waiting.seconds(0.0))
        return Status(phrase("{count} frames, took {time}", count=waiting.frames, time=took), "CHECKMARK")
    if obj is not None and obj.type == "MESH" and keeping.is_kept(obj):
        first, last = keeping.animated_range(obj)
        return Status(phrase("Kept: frames {first} to {last}", first=first, last=last), "CHECKMARK")
    if reason:
        return Status(reason, "INFO")
    if match is not None and choices.is_poor(match):
        return Status(choices.doubt_about(match), "ERROR")
    expected = expected_of(context)
    if expected is None or not expected.seconds:
        return Status("Ready", "BLANK1")
    time = duration(expected.seconds)
    about, perhaps = phrase("Ready: about {time}", time=time), phrase("Ready: perhaps {time}", time=time)
    return Status(about if expected.is_learnt else perhaps, "BLANK1")


@dataclass(frozen=True)
class Expected:
    """seconds: that the whole job may take; 0 where that is not known. is_learnt: from a job of this kind that was
    done, not guessed."""

    seconds: float
    is_learnt: bool


def expected_of(context: bpy.types.Context) -> Expected | None:
    """Of the job that Animate would start; None where something is missing for one."""
    settings, objects = context.scene.motion324, mesh_objects(context)
    facts = facts_of(settings.video)
    if facts is None or not facts.frames or not objects:
        return None
    try:
        options = properties.options_of(properties.shown_of(settings), context)
        where = preferences.connection()
    except Motion324Error:
        return None
    vertices = sum(len(obj.data.vertices) for obj in objects)
    size = JobSize(vertices, outcome_of(settings, facts, context.scene).frames, facts.size[0] * facts.size[1])
    learnt = estimate_seconds(size.vertices, size.frames, size.pixels, options, where)
    if learnt:
        return Expected(learnt, True)
    return Expected(sum(seconds for _, seconds in guessed_stages(size, options, where)), False)


def reason_against_object(context: bpy.types.Context) -> str:
    """Why the active object can be neither animated nor shown and exported; "" if it can."""
    obj = context.object
    if obj is None or obj.type != "MESH":
        return "Select a mesh object"
    if obj.mode == "EDIT":
        return "Leave Edit Mode"
    try:
        checked_object(obj)
    except Motion324Error as error:
        return in_own_language(str(error))
    return ""


def reason_against_video(context: bpy.types.Context) -> str:
    """What is missing before the video can be looked at, with its masks; "" if nothing is."""
    settings = context.scene.motion324
    if not settings.video:
        return "Choose a video"
    facts = facts_of(settings.video)
    if facts is not None and facts.problem:
        return facts.problem
    used = outcome_of(settings, facts, context.scene).frames if facts is not None and facts.frames else FEWEST_FRAMES
    if used < FEWEST_FRAMES:
        one = phrase("1 frame in that range; at least {least} are needed", least=FEWEST_FRAMES)
        return one if used else phrase("No frames in that range; at least {least} are needed", least=FEWEST_FRAMES)
    if settings.mask == choices.MASK_FILE and not settings.mask_path:
        return "Choose the masks"
    return ""


def reason_against_shape_keys(animations: Iterable[Animation]) -> str:
    """Why the first object that cannot carry these as shape keys cannot; "" if all can. Shared meshes do not count."""
    for animation in animations:
        obj = animation.target.find()
        try:
            if obj is not None:
                shape_keys.check_keys(obj)
        except Motion324Error as error:
            return in_own_language(str(error))
    return ""


def reason_against_bones(kind: str, animations: Iterable[Animation], armature: str = "") -> str:
    """Why these cannot become keys on bones, as far as that is seen at once; "" if they can. kind: of keeping.BONES.
    armature: the name of the one that was chosen."""
    for animation in animations:
        obj = animation.target.find()
        try:
            if obj is not None and kind == keeping.ARMATURE:
                own_rig.armature_of(obj, armature)
            elif obj is not None:
                made_rig.check_can_have_rig(obj)
        except Motion324Error as error:
            return in_own_language(str(error))
    return ""


def mesh_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected mesh objects, and the active one whether selected or not; the active one is first."""
    active = [context.object] if context.object is not None and context.object.type == "MESH" else []
    return active + [obj for obj in context.selected_objects if obj.type == "MESH" and obj not in active]


def _about_view(context: bpy.types.Context) -> str:
    settings = context.scene.motion324
    if settings.view == choices.VIEW_CAMERA and context.scene.camera is None:
        return "The scene has no active camera to take the view from"
    return ""
