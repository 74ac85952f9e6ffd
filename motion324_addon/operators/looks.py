"""Has the operators that look at the video before a job: at the mask of its first frame, and for a mesh that is
made of that frame.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import bpy

from motion324.core.errors import Motion324Error
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.result import MadeMesh

from ..examining import looks, new_mesh
from ..scene.reading.new_object import add_object
from ..settings import new_mesh_settings, properties
from ..ui.own_language import in_own_language
from ..ui.phrases import phrase, tooltip
from .animation import KEEP
from .reporting import report_error

LOOKS = (
    ("MASK", "Mask", "The look at the mask"),
    ("VIEW", "View", "The search for the view"),
    ("NEW_MESH", "New Mesh", "The making of a mesh from the video"),
)
STOPS = {
    "MASK": "Stop the look at the mask",
    "VIEW": "Stop the search for the view",
    "NEW_MESH": "Stop the making of a mesh from the video",
}
EXAMINERS = {"MASK": looks.mask_look, "VIEW": looks.view_look, "NEW_MESH": new_mesh.mesh_look}


class MOTION324_OT_preview_mask(properties.JobProperties, bpy.types.Operator):
    """Find the object in the first used frame, and show it here and in Image Editors"""

    bl_idname = "motion324.preview_mask"
    bl_label = "Preview Mask"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context.scene.motion324)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._run(properties.chosen_of(self, context.scene.motion324))

    def _run(self, settings: properties.JobProperties) -> set[str]:
        try:
            question = looks.mask_question(settings)
            if bpy.app.background:
                looks.mask_look.ask(question)
            else:
                looks.mask_look.start(question)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_show_mask(bpy.types.Operator):
    """Show the mask in an Image Editor; opens a window with one where there is none"""

    bl_idname = "motion324.show_mask"
    bl_label = "Show Mask in Image Editor"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if bpy.data.images.get(looks.NAME) is None:
            cls.poll_message_set("Preview the mask first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        editors = looks.image_editors() or self._open_window(context)
        for space in editors[:1]:
            space.image = bpy.data.images[looks.NAME]
        return {"FINISHED"} if editors else {"CANCELLED"}

    def _open_window(self, context: bpy.types.Context) -> list[bpy.types.SpaceImageEditor]:
        if context.window is None:
            self.report({"ERROR"}, phrase("There is no window to show it in."))
            return []
        bpy.ops.wm.window_new()
        window = context.window_manager.windows[-1]
        window.screen.areas[0].ui_type = "IMAGE_EDITOR"
        return [window.screen.areas[0].spaces.active]


class MOTION324_OT_new_mesh(properties.JobProperties, new_mesh_settings.NewMeshProperties, bpy.types.Operator):
    """Make a coloured mesh of what the video's first used frame shows, as a new object with its front towards the \
video's camera"""

    bl_idname = "motion324.new_mesh"
    bl_label = "New Mesh from Video"

    animate: bpy.props.BoolProperty(
        name="Animate", description="Animate the mesh after the video as soon as it is there", options={"SKIP_SAVE"}
    )
    keep: bpy.props.EnumProperty(
        name="Keep", description="What becomes of the animation", items=KEEP, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.animate:
            return tooltip(
                "Make a mesh of what the video's first used frame shows, and animate it after the video at once"
            )
        return tooltip(cls.__doc__)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        scene = context.scene
        return self._run(context, properties.shown_of(scene.motion324), scene.motion324_new_mesh)

    def execute(self, context: bpy.types.Context) -> set[str]:
        job = properties.chosen_of(self, context.scene.motion324)
        return self._run(context, job, new_mesh_settings.chosen_of(self, context.scene.motion324_new_mesh))

    def _run(self, context: bpy.types.Context, job: SimpleNamespace, mesh: SimpleNamespace) -> set[str]:
        try:
            question = new_mesh.question_of(job, mesh)
            new_mesh.begin(question, job.video, self._next(job))
        except Motion324Error as error:
            return report_error(self, error)
        except RuntimeError as error:  # of the animation that follows: how operators report to Python
            self.report({"ERROR"}, f"{said_by_operator(error)}.")
            return {"CANCELLED"}
        if bpy.app.background:
            for sentence in _to_say(new_mesh.made()):
                self.report({"WARNING"}, in_own_language(sentence))
        return {"FINISHED"}

    def _next(self, job: SimpleNamespace) -> Callable[[], None] | None:
        """The animation, if it is wanted, with the settings of this moment, whatever the artist does meanwhile."""
        if not self.animate:
            return None
        values = {name: getattr(job, name) for name in properties.JobProperties.__annotations__}
        values |= {"only_active": True, "keep": self.keep}
        return lambda: bpy.ops.motion324.animate(**{**values, "view": bpy.context.scene.motion324.view})


class MOTION324_OT_add_new_mesh(bpy.types.Operator):
    """Add the mesh that was made from the video last once more, as an object of its own"""

    bl_idname = "motion324.add_new_mesh"
    bl_label = "Add New Mesh"
    bl_options = {"UNDO"}

    video: bpy.props.StringProperty(
        name="Video", description="What it was made from, for the animation", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if new_mesh.made() is None:
            cls.poll_message_set("Make a mesh from the video first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        made = new_mesh.made()
        obj = add_object(made.mesh, context)
        settings = context.scene.motion324
        obj[properties.SEEN_FROM] = made.rough_view
        settings.video = self.video or settings.video
        if not bpy.app.background:
            for sentence in _to_say(made):
                self.report({"WARNING"}, in_own_language(sentence))
        self.report(
            {"INFO"},
            phrase(
                "'{name}' has {count} vertices, made by {maker}",
                name=obj.name,
                count=len(obj.data.vertices),
                maker=made.provider,
            ),
        )
        return {"FINISHED"}


def _to_say(made: MadeMesh) -> list[str]:
    """The warnings about the mesh, and its licence where that restricts anything."""
    return [*(warning["sentence"] for warning in made.warnings), *([made.licence] if made.licence else [])]


class MOTION324_OT_cancel_look(bpy.types.Operator):
    """Stop it, or close what it found"""

    bl_idname = "motion324.cancel_look"
    bl_label = "Stop Looking"

    look: bpy.props.EnumProperty(name="Look", description="Which one", items=LOOKS)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if EXAMINERS[properties.look].look.running:
            return tooltip(STOPS[properties.look])
        return tooltip("Close this message")

    def execute(self, context: bpy.types.Context) -> set[str]:
        EXAMINERS[self.look].stop()
        return {"FINISHED"}
