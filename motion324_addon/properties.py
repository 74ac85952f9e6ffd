"""What the user sets for the next job; kept with the scene."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from motion324.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.options import AnimateOptions

from .scene import timing

MASKS = (
    ("auto", "Automatic", "Alpha if the video has it, then a plain background, then background removal"),
    ("alpha", "Alpha", "The video's own alpha channel"),
    ("plain", "Plain Background", "A background of one colour"),
    ("rembg", "Background Removal", "A neural network that finds the foreground"),
    ("file", "From Masks", "A mask video, or a folder of mask pictures"),
)
VIEWS = (
    ("auto", "Automatic", "Finds from where the video sees the mesh in its first frame"),
    ("front", "Front", "The video sees the mesh from its front (-Y)"),
    ("angles", "Angles", "The video sees the mesh from the angles below"),
)
TIMINGS = (
    (timing.KEEP_FRAMES, "Keep Frames", "Each frame of the video is one frame of the scene"),
    (
        timing.KEEP_DURATION,
        "Keep Duration",
        "A second of the video is a second of the scene",
    ),
)


class JobProperties:
    """What describes a job: settings of the scene, and keyword arguments of the operator."""

    video: StringProperty(name="Video", description="A video, or a folder of pictures in their order")
    first_frame: IntProperty(name="First Frame", description="Of the video, counted from 0", min=0)
    frame_count: IntProperty(name="Frames", description="How many frames are used; 0 takes all that follow", min=0)
    frame_step: IntProperty(name="Step", description="2 takes every second frame, and so on", min=1, default=1)
    start_frame: IntProperty(name="Start at", description="The scene's frame that shows the first one", default=1)
    timing: EnumProperty(name="Timing", description="How the video's frames meet the scene's", items=TIMINGS)
    mask: EnumProperty(name="Foreground", description="How the moving thing is told from the background", items=MASKS)
    mask_path: StringProperty(name="Masks", description="Mask video or folder, white on the thing", subtype="FILE_PATH")
    view: EnumProperty(name="View", description="From where the video sees the mesh", items=VIEWS)
    azimuth: FloatProperty(name="Azimuth", description="Degrees around; 0 is the front, 90 is +X", min=-180, max=360)
    elevation: FloatProperty(name="Elevation", description="Degrees above the horizon", min=-90, max=90)
    smooth: FloatProperty(
        name="Smoothing", description="Evens out jitter over so many frames; 0 is off", min=0, soft_max=5, default=0.5
    )
    seed: IntProperty(name="Seed", description="The same seed gives the same result", min=0)


class Motion324Settings(JobProperties, bpy.types.PropertyGroup):
    pass


def chosen_of(operator: bpy.types.Operator, settings: Motion324Settings) -> SimpleNamespace:
    """The operator's keyword arguments, and the scene's settings where there are none."""
    given = operator.properties.is_property_set
    names = JobProperties.__annotations__
    return SimpleNamespace(**{name: getattr(operator if given(name) else settings, name) for name in names})


def options_of(settings: JobProperties | SimpleNamespace) -> AnimateOptions:
    """Raises Motion324Error("bad-option")."""
    first, step = settings.first_frame, settings.frame_step
    stop = first + settings.frame_count * step if settings.frame_count else None
    options = AnimateOptions(
        frames=(first or None, stop, step),
        mask=bpy.path.abspath(settings.mask_path) if settings.mask == "file" else settings.mask,
        view=f"{settings.azimuth:g},{settings.elevation:g}" if settings.view == "angles" else settings.view,
        smooth=settings.smooth,
        seed=settings.seed,
    )
    options.check()
    return options


def video_of(settings: JobProperties | SimpleNamespace) -> Path:
    """Raises Motion324Error("no-video")."""
    if not settings.video:
        raise Motion324Error("no-video", "No video has been chosen.", "Choose one, then animate.", EXIT_BAD_VIDEO)
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
