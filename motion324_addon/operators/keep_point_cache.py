"""Keeps the result as a point cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from ..job.runner import runner
from ..scene import keeping
from ..scene.animation import Animation
from .polling import has_result
from .reporting import SteppedOperator


class MOTION324_OT_keep_point_cache(SteppedOperator, bpy.types.Operator):
    """Keep the result as a PC2 file beside the .blend: small .blend and fast playback, also of long clips"""

    bl_idname = "motion324.keep_point_cache"
    bl_label = "Keep as Point Cache"
    bl_options = {"UNDO"}
    doing = "Keeping the point cache"

    folder: bpy.props.StringProperty(
        name="Folder", description="Of the cache file; beside the .blend if empty", subtype="DIR_PATH"
    )
    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the active object's, or else the newest", options={"SKIP_SAVE"}
    )
    object_name: bpy.props.StringProperty(
        name="Object", description="Which of the animated objects; all if empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_result(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        folder = Path(bpy.path.abspath(self.folder)) if self.folder else None
        self._animations: Sequence[Animation] = runner.waiting(self.object_name, self.job)
        self._paths = keeping.point_cache_paths(self._animations, folder)
        yield from keeping.keep_all_as_point_caches(self._animations, self._paths)

    def finished(self, context: bpy.types.Context) -> None:
        runner.kept(self._animations)
        self.report({"INFO"}, "Point cache: " + ", ".join(f"'{path}'" for path in self._paths))
