"""Tells Blender the interface's texts in other languages. All of them are drafts made by a machine.

Blender shows them where its preferences have that language: labels of panels, buttons, menus and properties, tooltips,
reasons why a button is grey, and sentences that have no names or numbers in them (`text_lines.draw_lines`). What is not
there is shown in English.
"""

from __future__ import annotations

import bpy

from ..job.storage import ADDON
from .translations.by_language import LANGUAGES

CONTEXTS = ("*", "Operator")  # Blender looks for buttons' texts in a context of their own
# What is called the same everywhere.
NAMES = frozenset(
    {
        "Alembic",
        "CPU",
        "CUDA",
        "Cycles",
        "EEVEE",
        "FBX",
        "GLB",
        "GPU",
        "Hunyuan3D-2",
        "MP4",
        "Motion Transformer",
        "Motion324",
        "SAM 2.1",
        "USD",
        "Unity",
        "Unreal",
        "Workbench",
        "bfloat16",
        "float16",
        "float32",
    }
)


def catalogue() -> dict[str, dict[tuple[str, str], str]]:
    """As bpy.app.translations.register takes it. Languages that have several names share what they have."""
    by_context = {
        id(texts): {(context, text): told for context in CONTEXTS for text, told in texts.items()}
        for texts in {id(texts): texts for texts in LANGUAGES.values()}.values()
    }
    return {language: by_context[id(texts)] for language, texts in LANGUAGES.items()}


def register() -> None:
    bpy.app.translations.register(ADDON, catalogue())


def unregister() -> None:
    bpy.app.translations.unregister(ADDON)
