"""Says sentences in the interface's language, those with names and numbers in them as well.

Blender itself translates labels and tooltips that are told as a whole; ui/languages has what it knows of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy


def phrase(text: str, **values: object) -> str:
    """In the interface's language, with these names and numbers in it: phrase("{count} frames", count=3)."""
    told = bpy.app.translations.pgettext_iface(text)
    return told.format(**values) if values else told


def in_short(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    if len(names) > 1:
        return phrase("{name} and {count} more", name=names[0], count=len(names) - 1)
    return "".join(names)


def tooltip(text: str) -> str:
    """In the interface's language, for an operator's `description`, which Blender shows as it is."""
    return bpy.app.translations.pgettext_tip(text)
