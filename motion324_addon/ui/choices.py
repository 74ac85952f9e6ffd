"""Lists what the menus of the settings offer, (identifier, name, tooltip) as Blender's enumerations take them, and puts
the backend's messages in the panel's words.

The backend names settings as its command line does.
"""

from __future__ import annotations

import re

from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.option_spec import OptionSpec

from ..scene.playing import timing
from .phrases import phrase

Items = tuple[tuple[str, str, str], ...]

MASK_FILE = "file"
VIEW_ANGLES, VIEW_CAMERA, VIEW_VIEWPORT = "angles", "camera", "viewport"
# What stands for a choice in the backend's advice, by options.
_STAND_INS = {
    "mask": {"FOLDER": MASK_FILE, "PATH": MASK_FILE},
    "view": {"AZIMUTH,ELEVATION": VIEW_ANGLES},
}


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
    (timing.KEEP_FRAMES, "One Frame per Frame", "Each frame of the video is one frame of the scene"),
    (timing.KEEP_DURATION, "Real Speed", "A second of the video is a second of the scene"),
    (timing.CUSTOM_FPS, "Custom", "The video's frames are played at a frame rate of your own"),
)


def menu_of(spec: OptionSpec) -> Items:
    """What the option's menu offers; empty where it has none."""
    named = tuple((choice.value, choice.label, choice.description) for choice in spec.choices if choice.label)
    return named + _MORE.get(spec.name, ())


def names_of(spec: OptionSpec) -> dict[str, str]:
    """What the menu calls each of its values."""
    return {identifier: name for identifier, name, _ in menu_of(spec)}


GOOD_MATCH, POOR_MATCH = 0.85, 0.65  # overlaps of the silhouettes


def is_poor(overlap: float) -> bool:
    """Whether mesh and video may not belong together. overlap: of the silhouettes, 0..1."""
    return overlap < POOR_MATCH


def match_text(overlap: float) -> str:
    """How well a mesh looks like the video, as the panels say it."""
    word = phrase("poor") if is_poor(overlap) else phrase("good") if overlap >= GOOD_MATCH else phrase("fair")
    return f"{100 * overlap:.0f} % ({word})"


def doubt_about(overlap: float) -> str:
    """What is said of a poor match."""
    return phrase("Match {match}: does the video show this mesh?", match=match_text(overlap))


def _settings() -> dict[str, tuple[str, OptionSpec]]:
    """Where the panels have an option, by what sentences and advice call it."""
    found = {}
    for spec in (*AnimateOptions.specs().values(), *MeshSettings.specs().values()):
        if spec.shown is not None:
            place = f"{spec.shown.panel} > {spec.shown.short or spec.shown.label}"
            found[spec.told_name] = (place, spec)
            if spec.flag_name != f"--{spec.told_name}":
                found[spec.flag_name.removeprefix("--")] = (f"{place}, switched off", spec)
    return found


_SETTINGS = _settings()
_NAMES = "|".join(_SETTINGS)
_VALUE = r"([\w-]+(?:[,:][\w-]+)*)"
_REFUSED = re.compile(rf"\b[Tt]he option ({_NAMES}) cannot be {_VALUE}")
_MENTIONED = re.compile(rf"\b[Tt]he option ({_NAMES})\b")
_FROM = re.compile(r"--frames (\d+):(?!\d)")
_UNTIL = re.compile(r"--frames :(\d+)")
_BACKEND = re.compile(r"\b(a )?[Bb]ackend(?!-)\b", re.IGNORECASE)  # which the panels call the engine
_PATH = re.compile(r"'(?:/|[A-Za-z]:[\\/])[^'\n]*[\\/]([^'\\/\n]+)'")
_ADVISED = re.compile(rf"--({_NAMES})\b(?: {_VALUE})?")


def in_panel_words(text: str) -> str:
    """Use --mask auto -> Use Cut-out > Method > Automatic; what the panel does not have stays as it is."""
    text = _REFUSED.sub(lambda found: f"{_SETTINGS[found[1]][0]} cannot be {_choice(*found.groups())}", text)
    text = _MENTIONED.sub(lambda found: _SETTINGS[found[1]][0], text)
    # The range of frames is two properties: the first one, and how many.
    text = _FROM.sub(r"Frames and Timing > First Frame \1", text)
    text = _UNTIL.sub(r"Frames and Timing > Frames before frame \1", text)
    return _BACKEND.sub(_engine, _ADVISED.sub(_advised, text))


def with_names_only(text: str) -> str:
    """'/home/artist/fox.mp4' -> 'fox.mp4': the row Video and the log have the whole path, and the panel is narrow."""
    return _PATH.sub(r"'\1'", text)


def _engine(found: re.Match[str]) -> str:
    article = f"{found[1][0]}n " if found[1] else ""
    return article + ("Engine" if "B" in found[0] else "engine")


def _advised(found: re.Match[str]) -> str:
    option, value = found.groups()
    place = _SETTINGS[option][0]
    if value is None:
        return place
    name = _choice(option, value)
    return f"{place} {value}" if name == value else f"{place} > {name}"


def _choice(option: str, value: str) -> str:
    """The name of a choice in its menu; the value itself where it is none."""
    names = names_of(_SETTINGS[option][1])
    return names.get(_STAND_INS.get(option, {}).get(value, value), value)
