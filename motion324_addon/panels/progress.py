"""What a running job or look does, in words and as a bar."""

from __future__ import annotations

import bpy

from ..examining.examiner import Examiner
from ..panel_words import in_panel_words
from ..text_lines import draw_lines

STAGE_LABELS = {
    "load": "Loading the model",
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "mesh": "Making the mesh",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
}


def draw_bar(layout: bpy.types.UILayout, stage: str, done: int, total: int) -> None:
    """A bar with the stage's name; without a stage the backend is being started."""
    text = STAGE_LABELS.get(stage, stage.capitalize()) if stage else "Starting the backend"
    layout.progress(factor=done / total if total else 0.0, text=text)


def draw_look(layout: bpy.types.UILayout, context: bpy.types.Context, examiner: Examiner, name: str) -> None:
    """What a look does, or why it failed, with the button that ends that; nothing where there is neither."""
    look = examiner.look
    if look.running:
        row = layout.row(align=True)
        draw_bar(row, look.stage, look.done, look.total)
        row.operator("motion324.cancel_look", text="", icon="X").look = name
    elif look.problem is not None:
        box = layout.box()
        draw_lines(box, context, in_panel_words(str(look.problem.to_error()).partition("\n")[0]), "ERROR")
        box.operator("motion324.cancel_look", text="Close", icon="X").look = name
