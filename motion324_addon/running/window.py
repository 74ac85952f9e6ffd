"""Blender's window: whether there is one, and having parts of it drawn again."""

from __future__ import annotations

import bpy


def is_background() -> bool:
    """Whether nobody looks: then no timers run, and frames are not shown before the result."""
    return bpy.app.background


def redraw_sidebars() -> None:
    """Has the sidebars of all 3D views drawn again, but not the scene beside them."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def redraw_areas(*kinds: str) -> None:
    """Has all areas of these kinds drawn again, in all windows."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in kinds:
                area.tag_redraw()
