"""Holds what the user sets for the next job; it is kept with the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from motion324.core.errors import EXIT_BAD_VIDEO, EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import AZIMUTHS, ELEVATIONS, MAX_FPS, AnimateOptions

from ..scene.playing import timing
from ..scene.showing import overlay_view, view_angles
from ..ui import choices
from . import option_properties
from .source_video import PICTURES_FPS, facts_of, lies_beside_nothing

FEWEST_FRAMES = 2
SEEN_FROM = "motion324_seen_from"  # a custom property of objects that were made of a video


class JobProperties:
    """What describes a job: settings of the scene, and keyword arguments of the operator. Those that are an option
    each, which motion324.core.options.animate_options declares, are added below; these make up an
    option together, or are Blender's own.
    """

    video: StringProperty(name="Video", description="A video of the object moving, or a folder of pictures in order")
    first_frame: IntProperty(
        name="First Frame",
        description="Frame of the video, counted from 0, with which the animation begins; best one in which the object "
        "has the pose of the mesh",
        min=0,
    )
    frame_count: IntProperty(name="Frames", description="How many frames of the video are used", min=0)
    frame_step: IntProperty(name="Step", description="2 takes every second frame, and so on", min=1, default=1)
    start_frame: IntProperty(name="Start Frame", description="The scene's frame that shows the first one", default=1)
    timing: EnumProperty(
        name="Timing",
        description="How the video's frames meet the scene's",
        items=choices.TIMINGS,
        default=timing.KEEP_DURATION,
    )
    custom_fps: FloatProperty(
        name="Frame Rate",
        description="Frames per second at which the used frames of the video are played",
        min=0.1,
        max=MAX_FPS,
        soft_max=120,
        default=24,
    )
    mask_path: StringProperty(
        name="Masks", description="Mask video or folder of mask pictures, white on the object", subtype="FILE_PATH"
    )
    azimuth: FloatProperty(
        name="Around",
        description="Degrees around the mesh; 0 sees its front (-Y), 90 its +X side",
        min=AZIMUTHS[0],
        max=AZIMUTHS[1],
        precision=1,
    )
    elevation: FloatProperty(
        name="Up",
        description="Degrees above the horizon",
        min=ELEVATIONS[0],
        max=ELEVATIONS[1],
        precision=1,
        step=100,
    )


JobProperties.__annotations__.update(option_properties.properties_of(AnimateOptions))
option_properties.steady(JobProperties)


def _shown_video(self: Motion324Settings) -> str:
    return Path(self.video.rstrip("/\\")).name if self.video else ""


def _enter_video(self: Motion324Settings, text: str) -> None:
    """A path. The name that the field shows is no new one."""
    if text != _shown_video(self):
        self.video = text


def _show_opacity(self: Motion324Settings, context: bpy.types.Context) -> None:
    overlay_view.set_opacity(context.scene, self.overlay_opacity)


def _opacity_percent(self: Motion324Settings) -> float:
    return 100.0 * self.overlay_opacity


def _enter_opacity_percent(self: Motion324Settings, value: float) -> None:
    self.overlay_opacity = value / 100.0


def _takes_all(name: str) -> Callable[[Motion324Settings], bool]:
    return lambda self: not getattr(self, name)


def _take_all_frames(self: Motion324Settings, takes_all: bool) -> None:
    facts = facts_of(self.video)
    left = (facts.frames - self.first_frame) // self.frame_step if facts else 0
    self.frame_count = 0 if takes_all else max(left, FEWEST_FRAMES)


def _take_all_per_second(self: Motion324Settings, takes_all: bool) -> None:
    facts = facts_of(self.video)
    self.video_fps = 0.0 if takes_all else (facts.fps if facts else 0.0) or PICTURES_FPS


@option_properties.steady
class Motion324Settings(JobProperties, bpy.types.PropertyGroup):
    """Besides the job's: what the sidebar shows in place of a path, and of a number that is 0 for all."""

    video_shown: StringProperty(
        name="Video",
        description="The video, or the folder of pictures, by its name; a whole path can be entered",
        get=_shown_video,
        set=_enter_video,
        options={"SKIP_SAVE"},
    )
    all_frames: BoolProperty(
        name="All",
        description="Use all frames that follow the first one",
        get=_takes_all("frame_count"),
        set=_take_all_frames,
        options={"SKIP_SAVE"},
    )
    all_per_second: BoolProperty(
        name="Same as Video",
        description="Use every frame of a second of the video",
        get=_takes_all("video_fps"),
        set=_take_all_per_second,
        options={"SKIP_SAVE"},
    )
    add_take: BoolProperty(
        name="Add",
        description="Keep the next result beside the takes that the object has; otherwise it replaces the shown one",
        options=set(),
    )
    overlay_opacity: FloatProperty(
        name="Opacity",
        description="Of the video over the mesh",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_show_opacity,
    )
    overlay_opacity_percent: FloatProperty(
        name="Opacity",
        description="Of the video over the mesh",
        default=50.0,
        min=0.0,
        max=100.0,
        subtype="PERCENTAGE",
        precision=0,
        get=_opacity_percent,
        set=_enter_opacity_percent,
        options={"SKIP_SAVE"},  # `overlay_opacity`, as the panel shows it
    )
    own_pose_before: BoolProperty(
        name="Own Pose Before",
        description="Keep the mesh's own pose at the frame before the first, so that it moves from there to the "
        "video's first pose",
    )


def chosen_of(operator: bpy.types.Operator, settings: Motion324Settings) -> SimpleNamespace:
    """The operator's keyword arguments, and where there are none what `shown_of` has."""
    is_given = operator.properties.is_property_set
    return _merged(
        settings, {name: getattr(operator, name) for name in JobProperties.__annotations__ if is_given(name)}
    )


def shown_of(settings: Motion324Settings) -> SimpleNamespace:
    """The scene's settings as the panels show them: what the method has no use for, and hides, has its default."""
    return _merged(settings, {})


def _merged(settings: Motion324Settings, given: dict[str, Any]) -> SimpleNamespace:
    merged = SimpleNamespace(**{name: getattr(settings, name) for name in JobProperties.__annotations__} | given)
    hidden = option_properties.hidden_of(merged, AnimateOptions)
    vars(merged).update({name: value for name, value in hidden.items() if name not in given})
    return merged


def options_of(
    settings: JobProperties | SimpleNamespace,
    context: bpy.types.Context | None = None,
    wanted: option_properties.Wanted = lambda spec: True,
) -> AnimateOptions:
    """context: where the camera or the viewport is looked up, if the view is taken from one. The options that are not
    wanted stay as they are by default.

    Raises Motion324Error: "bad-option", "no-masks", or what `view_of` raises.
    """
    values = option_properties.values_of(settings, AnimateOptions, wanted)
    for name, compose in _COMPOSED.items():
        if wanted(AnimateOptions.specs()[name]):
            values[name] = compose(settings, context or bpy.context)
    return AnimateOptions.from_dict(values)


def frames_of(settings: JobProperties | SimpleNamespace) -> tuple[int | None, int | None, int]:
    """The used frames of the video, as `AnimateOptions.frames` has them."""
    first, step = settings.first_frame, settings.frame_step
    stop = first + settings.frame_count * step if settings.frame_count else None
    return first or None, stop, step


def mask_of(settings: JobProperties | SimpleNamespace) -> str:
    """As `AnimateOptions.mask` has it. Raises Motion324Error("no-masks")."""
    if settings.mask != choices.MASK_FILE:
        return settings.mask
    if not settings.mask_path:
        raise Motion324Error("no-masks", "No masks have been chosen.", "Choose a mask video or folder.", EXIT_USAGE)
    if lies_beside_nothing(settings.mask_path):
        sentence = f"The masks '{settings.mask_path}' lie beside the .blend, which has not been saved yet."
        raise Motion324Error(
            "blend-unsaved", sentence, "Save it, or choose the masks by their whole path.", EXIT_BAD_VIDEO
        )
    return bpy.path.abspath(settings.mask_path)


def view_of(settings: JobProperties | SimpleNamespace, context: bpy.types.Context) -> str:
    """As `AnimateOptions.view` has it. Raises Motion324Error("no-camera" or "no-viewport")."""
    if settings.view == choices.VIEW_ANGLES:
        angles = settings.azimuth, settings.elevation
    elif settings.view == choices.VIEW_CAMERA:
        angles = view_angles.from_camera(context)
    elif settings.view == choices.VIEW_VIEWPORT:
        angles = view_angles.from_viewport(context)
    else:
        seen_from = context.object.get(SEEN_FROM) if context.object is not None else None
        return str(seen_from) if seen_from and settings.view == "auto" else settings.view
    return "{:g},{:g}".format(*(round(angle, 3) for angle in angles))


# The options that several properties make up.
_COMPOSED: dict[str, Callable[[Any, bpy.types.Context], Any]] = {
    "frames": lambda settings, _: frames_of(settings),
    "fps": lambda settings, _: settings.custom_fps if settings.timing == timing.CUSTOM_FPS else None,
    "mask": lambda settings, _: mask_of(settings),
    "view": view_of,
}


def video_of(settings: JobProperties | SimpleNamespace) -> Path:
    """Raises Motion324Error("no-video")."""
    if not settings.video:
        raise Motion324Error("no-video", "No video has been chosen.", "Choose one, then animate.", EXIT_BAD_VIDEO)
    if lies_beside_nothing(settings.video):
        sentence = f"The video '{settings.video}' lies beside the .blend, which has not been saved yet."
        raise Motion324Error(
            "blend-unsaved", sentence, "Save it, or choose the video by its whole path.", EXIT_BAD_VIDEO
        )
    path = Path(bpy.path.abspath(settings.video))
    if not path.exists():
        raise Motion324Error("video-missing", f"There is no video '{path}'.", "Choose another.", EXIT_BAD_VIDEO)
    return path


def register() -> None:
    bpy.utils.register_class(Motion324Settings)
    bpy.types.Scene.motion324 = PointerProperty(type=Motion324Settings)


def unregister() -> None:
    del bpy.types.Scene.motion324
    bpy.utils.unregister_class(Motion324Settings)
