"""Finds from where the video sees the mesh, before a job."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..examining import looks
from ..settings import properties
from .polling import has_usable_mesh, mesh_objects
from .reporting import report_error


class MOTION324_OT_find_view(properties.JobProperties, bpy.types.Operator):
    """Find from where the video sees the selected mesh in its first used frame, starting from the view chosen above. \
Arguments become the scene's settings, which the answer is remembered for"""

    bl_idname = "motion324.find_view"
    bl_label = "Find View"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_usable_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context, context.scene.motion324)

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion324
        for name in properties.JobProperties.__annotations__:
            if self.properties.is_property_set(name):
                setattr(settings, name, getattr(self, name))
        return self._run(context, settings)

    def _run(self, context: bpy.types.Context, settings: properties.JobProperties) -> set[str]:
        try:
            question = looks.view_question(settings, mesh_objects(context), context)
            if bpy.app.background:
                looks.view_look.ask(question)
            else:
                looks.view_look.start(question)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
