"""What the menus of the settings offer: (identifier, name, tooltip), as Blender's enumerations take them.

What an option may be is declared in motion324.core; here is what Blender offers besides.
"""

from __future__ import annotations

from motion324.core.option_spec import OptionSpec

from ..scene.playing import timing

Items = tuple[tuple[str, str, str], ...]

MASK_FILE = "file"
VIEW_ANGLES, VIEW_CAMERA, VIEW_VIEWPORT = "angles", "camera", "viewport"
# Ways to say in Blender what is a path or numbers on the command line, by the options' names.
_MORE: dict[str, Items] = {
    "mask": ((MASK_FILE, "Mask Sequence", "A mask video, or a folder of mask pictures, white on the object"),),
    "view": (
        (VIEW_ANGLES, "Angles", "The video sees the mesh from the angles below"),
        (VIEW_CAMERA, "Active Camera", "The video sees the mesh as the scene's active camera does"),
        (VIEW_VIEWPORT, "Viewport", "The video sees the mesh as the 3D viewport does when the job is started"),
    ),
}

TIMINGS: Items = (
    (timing.KEEP_FRAMES, "Keep Frames", "Each frame of the video is one frame of the scene"),
    (timing.KEEP_DURATION, "Keep Duration", "A second of the video is a second of the scene"),
    (timing.CUSTOM_FPS, "Custom", "The video's frames are played at a frame rate of your own"),
)


def menu_of(spec: OptionSpec) -> Items:
    """What the option's menu offers; empty where it has none."""
    named = tuple((choice.value, choice.label, choice.description) for choice in spec.choices if choice.label)
    return named + _MORE.get(spec.name, ())


def names_of(spec: OptionSpec) -> dict[str, str]:
    """What the menu calls each of its values."""
    return {identifier: name for identifier, name, _ in menu_of(spec)}
