"""Finds the pages that come along with the extension, and tells Blender which of them is about what (F1).

They are made of docs/ when the extension is built, and need no network.
"""

from __future__ import annotations

from pathlib import Path

import bpy

FOLDER = Path(__file__).resolve().parent.parent / "docs"
FIRST = "first-animation.html"
# The first pattern that fits counts; Blender compares them with names in small letters.
PAGES = (
    *((f"bpy.ops.motion324.{name}*", f"{FIRST}#1-set-up-once") for name in ("install", "check_inst", "remove_backend")),
    ("bpy.ops.motion324.*_installation*", f"{FIRST}#1-set-up-once"),
    ("bpy.ops.motion324.keep_armature*", "rig.html#onto-your-own-rig"),
    ("bpy.ops.motion324.keep_rig*", "rig.html#a-rig-from-the-motion"),
    ("bpy.types.motion324rig*", "rig.html"),
    ("bpy.ops.motion324.export_rig*", "engines.html#a-rig-for-an-engine"),
    ("bpy.ops.motion324.export_vertex_textures*", "engines.html#vertex-animation-textures"),
    ("bpy.ops.motion324.export*", f"{FIRST}#8-show-and-export"),
    ("bpy.ops.motion324.turntable*", f"{FIRST}#8-show-and-export"),
    *((f"bpy.ops.motion324.{name}*", f"{FIRST}#7-correct-it") for name in ("pin_", "remove_pin", "refine", "*_pose")),
    *((f"bpy.ops.motion324.{name}*", f"{FIRST}#6-check-it") for name in ("*overlay", "show_doubt", "go_to_frame")),
    ("bpy.types.motion324settings.overlay*", f"{FIRST}#6-check-it"),
    ("bpy.ops.motion324.*_take", f"{FIRST}#5-tweak-it"),
    ("bpy.types.motion324settings.add_take", f"{FIRST}#5-tweak-it"),
    ("bpy.types.motion324tweak*", f"{FIRST}#5-tweak-it"),
    *(
        (f"bpy.ops.motion324.{name}*", f"{FIRST}#4-keep-it")
        for name in ("keep", "discard", "bring_back", "remove_anim")
    ),
    *((f"bpy.ops.motion324.{name}*", f"{FIRST}#4-keep-it") for name in ("make_single_user", "push_to_nla")),
    *(
        (f"bpy.ops.motion324.{name}*", f"{FIRST}#3-animate")
        for name in ("animate", "cancel", "requeue", "unqueue", "play")
    ),
    *(
        (f"bpy.ops.motion324.{name}*", f"{FIRST}#when-something-goes-wrong")
        for name in ("try_again", "restart", "open_log")
    ),
    ("bpy.ops.motion324.copy_report*", f"{FIRST}#when-something-goes-wrong"),
    ("bpy.types.motion324settings.*", f"{FIRST}#2-choose-the-mesh-and-the-video"),
    ("bpy.ops.motion324.*", f"{FIRST}#2-choose-the-mesh-and-the-video"),
    ("bpy.types.motion324*", FIRST),
)


def address(page: str = FIRST) -> str:
    """Of a page, for a browser; "" where it did not come along, as in a checkout."""
    name = page.partition("#")[0]
    return f"{FOLDER.as_uri()}/{page}" if (FOLDER / name).is_file() else ""


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"{FOLDER.as_uri()}/", PAGES


def register() -> None:
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    bpy.utils.unregister_manual_map(manual_map)
