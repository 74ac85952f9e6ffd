"""The backend's messages in the panel's words: it names settings as its command line does."""

from __future__ import annotations

import re

from ..settings import new_mesh_settings
from . import choices

# Option: where the panel has it, its choices, and what stands for one in the backend's advice.
_SETTINGS = {
    "device": ("Reconstruct > Device", choices.DEVICES, {}),
    "hunyuan-server": ("New Mesh > Address", (), {}),
    "mesh-faces": ("New Mesh > Faces", (), {}),
    "mesh-provider": ("New Mesh > Made by", new_mesh_settings.PROVIDERS, {}),
    "no-mesh-texture": ("New Mesh > Paint, switched off", (), {}),
    "video-fps": ("Source > Per Second", (), {}),
    "frames": ("Source > First Frame and Frames", (), {}),
    "mask": ("Foreground > Method", choices.MASKS, {"FOLDER": choices.MASK_FILE, "PATH": choices.MASK_FILE}),
    "precision": ("Reconstruct > Precision", choices.PRECISION_ITEMS, {}),
    "quality": ("Reconstruct > Quality", choices.QUALITIES, {}),
    "reconstructor": ("Reconstruct > Method", choices.RECONSTRUCTORS, {}),
    "smooth": ("Reconstruct > Smoothing", (), {}),
    "view": ("View > Seen From", choices.VIEWS, {"AZIMUTH,ELEVATION": choices.VIEW_ANGLES}),
}
_NAMES = "|".join(_SETTINGS)
_VALUE = r"([\w-]+(?:[,:][\w-]+)*)"
_REFUSED = re.compile(rf"\b[Tt]he option ({_NAMES}) cannot be {_VALUE}")
_MENTIONED = re.compile(rf"\b[Tt]he option ({_NAMES})\b")
_ADVISED = re.compile(rf"--({_NAMES})\b(?: {_VALUE})?")


def in_panel_words(text: str) -> str:
    """Use --mask auto -> Use Foreground > Method > Automatic; what the panel does not have stays as it is."""
    text = _REFUSED.sub(lambda found: f"{_SETTINGS[found[1]][0]} cannot be {_choice(*found.groups())}", text)
    text = _MENTIONED.sub(lambda found: _SETTINGS[found[1]][0], text)
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
    _, items, stand_ins = _SETTINGS[option]
    names = {identifier: name for identifier, name, _ in items}
    return names.get(stand_ins.get(value, value), value)
