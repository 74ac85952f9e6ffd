"""The backend's messages in the panel's words: it names settings as its command line does."""

from __future__ import annotations

import re

from motion324.core.mesh_settings import MeshSettings
from motion324.core.option_spec import OptionSpec
from motion324.core.options import AnimateOptions

from . import choices

# What stands for a choice in the backend's advice, by options.
_STAND_INS = {
    "mask": {"FOLDER": choices.MASK_FILE, "PATH": choices.MASK_FILE},
    "view": {"AZIMUTH,ELEVATION": choices.VIEW_ANGLES},
}


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
_ADVISED = re.compile(rf"--({_NAMES})\b(?: {_VALUE})?")


def in_panel_words(text: str) -> str:
    """Use --mask auto -> Use Foreground > Method > Automatic; what the panel does not have stays as it is."""
    text = _REFUSED.sub(lambda found: f"{_SETTINGS[found[1]][0]} cannot be {_choice(*found.groups())}", text)
    text = _MENTIONED.sub(lambda found: _SETTINGS[found[1]][0], text)
    # The range of frames is two properties: the first one, and how many.
    text = _FROM.sub(r"Source > First Frame \1", text)
    text = _UNTIL.sub(r"Source > Frames before frame \1", text)
    return _ADVISED.sub(_advised, text)


def _advised(found: re.Match[str]) -> str:
    option, value = found.groups()
    place = _SETTINGS[option][0]
    if value is None:
        return place
    name = _choice(option, value)
    return f"{place} {value}" if name == value else f"{place} > {name}"


def _choice(option: str, value: str) -> str:
    """The name of a choice in its menu; the value itself where it is none."""
    names = choices.names_of(_SETTINGS[option][1])
    return names.get(_STAND_INS.get(option, {}).get(value, value), value)
