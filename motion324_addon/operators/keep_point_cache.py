"""Keeps the result as a point cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy

from ..job.runner import runner
from ..scene.playing import keeping
from .keeping_results import KeepingResults


class MOTION324_OT_keep_point_cache(KeepingResults, bpy.types.Operator):
    """Keep the result as a PC2 file beside the .blend: small .blend and fast playback, also of long clips"""

    bl_idname = "motion324.keep_point_cache"
    bl_label = "Keep as Point Cache"
    bl_options = {"UNDO"}
    doing = "Keeping the point cache"

    folder: bpy.props.StringProperty(
        name="Folder", description="Of the cache file; beside the .blend if empty", subtype="DIR_PATH"
    )

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        folder = Path(bpy.path.abspath(self.folder)) if self.folder else None
        self._animations = self.chosen()
        self._paths = keeping.point_cache_paths(self._animations, folder)
        yield from keeping.keep_all_as_point_caches(self._animations, self._paths)

    def finished(self, context: bpy.types.Context) -> None:
        runner.kept(self._animations)
        self.report({"INFO"}, "Point cache: " + ", ".join(f"'{path}'" for path in self._paths))
