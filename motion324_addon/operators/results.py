"""Has the operators that keep and discard results, and take a kept animation away again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from motion324.core.errors import Motion324Error

from ..job import tweaks
from ..job.runner import runner
from ..job.state import ENDED, Phase
from ..scene.playing import keeping, kept_note, shape_keys, takes
from ..scene.playing.animation import Animation
from ..settings import scene_inputs
from ..ui.own_language import in_own_language
from ..ui.phrases import phrase, tooltip
from ..ui.readiness import mesh_objects, reason_against_shape_keys
from .reporting import SteppedOperator, has_result, report_error


class KeepingResults(SteppedOperator):
    """A mixin: `chosen` are the animations to keep; `steps` and `finished` are the operator's own."""

    job: bpy.props.IntProperty(
        name="Job", description="Its number; 0 takes the active object's, or else the newest", options={"SKIP_SAVE"}
    )
    object_name: bpy.props.StringProperty(
        name="Object", description="Which of the animated objects; all if empty", options={"SKIP_SAVE"}
    )
    own_pose: bpy.props.BoolProperty(
        name="Own Pose Before",
        description="Where the result begins with another pose than the mesh's own: keep its own at the frame before",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_result(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def chosen(self) -> tuple[Animation, ...]:
        """What waits; or else, where it is about one object, what was kept on that once, to be kept in another way.

        Raises Motion324Error("no-result" or "take-gone").
        """
        named = bpy.data.objects.get(self.object_name)
        waits = runner.result_of(named) is not None or self.job or named is None
        if not waits and takes.shown_take(named) is not None:
            return runner.animations_of(tweaks.reopen(named))
        return runner.waiting(self.object_name, self.job)

    def to_keep(self, animations: Iterable[Animation]) -> list[Animation]:
        """As they are kept."""
        return [animation.from_own_pose() if self.own_pose else animation for animation in animations]


class MOTION324_OT_keep_shape_keys(KeepingResults, bpy.types.Operator):
    """Keep the result as one shape key per frame: part of the .blend, goes along to FBX and GLB"""

    bl_idname = "motion324.keep_shape_keys"
    bl_label = "Keep as Shape Keys"
    bl_options = {"UNDO"}
    doing = "Keeping shape keys"

    single_user: bpy.props.BoolProperty(
        name="Make Single User",
        description="Give objects that share their mesh a copy of their own first, so that the others stay as they are",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        try:
            reason = reason_against_shape_keys(runner.waiting(properties.object_name, properties.job))
            return reason or tooltip(cls.__doc__)
        except Motion324Error as error:
            return in_own_language(str(error))

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        self._animations = self.chosen()
        yield from keeping.keep_all_as_shape_keys(self.to_keep(self._animations), self.single_user)

    def finished(self, context: bpy.types.Context) -> None:
        for animation in self._animations:
            obj = animation.target.get()
            names = ", ".join(f"'{name}'" for name, _, _ in kept_note.read_put_back(obj).modifiers)
            if names:
                self.report(
                    {"INFO"},
                    phrase(
                        "{names} of '{object}' switched off: what they did is part of the shape keys",
                        names=names,
                        object=obj.name,
                    ),
                )
        runner.kept(self._animations)


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
        folder = scene_inputs.target_of(self.folder) if self.folder else None
        self._animations = self.chosen()
        self._paths = keeping.point_cache_paths(self._animations, folder)
        yield from keeping.keep_all_as_point_caches(self.to_keep(self._animations), self._paths)

    def finished(self, context: bpy.types.Context) -> None:
        runner.kept(self._animations)
        files = ", ".join(f"'{path}'" for path in self._paths)
        self.report({"INFO"}, phrase("Point cache: {files}", files=files))


class MOTION324_OT_discard(bpy.types.Operator):
    """Take the result away; the object is as it was before. It can be brought back until the next one is discarded"""

    bl_idname = "motion324.discard"
    bl_label = "Discard Result"

    job: bpy.props.IntProperty(
        name="Job",
        description="Its number; 0 takes the result of the active object, or else the newest, and the message shown",
        min=0,
        options={"SKIP_SAVE"},
    )

    object_name: bpy.props.StringProperty(
        name="Object",
        description="Which of the objects that were animated as one; all if empty",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        shown = None if runner.results else runner.state
        job = runner.jobs.get(properties.job) if properties.job else shown
        if job is not None and job.phase in ENDED - {Phase.DONE}:
            return tooltip("Close this message; the object is as it was before the job")
        return tooltip(cls.__doc__)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        waits = any(job.phase in ENDED for job in runner.jobs.jobs)
        if not waits:
            cls.poll_message_set("There is no result and no message")
        return waits

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            if self.object_name:
                runner.discard(runner.waiting(self.object_name, self.job))
            elif self.job:
                runner.dismiss(self.job)
            else:
                runner.discard()
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_make_single_user(bpy.types.Operator):
    """Give the selected objects that share their mesh with others, or have it from another file, a copy of their own"""

    bl_idname = "motion324.make_single_user"
    bl_label = "Make Single User"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(shape_keys.can_copy(obj) for obj in mesh_objects(context)):
            linked = any(shape_keys.reason_to_copy(obj) for obj in mesh_objects(context))
            why = "Make the object local first (Object > Relations > Make Local > All)"
            cls.poll_message_set(why if linked else "No selected object shares its mesh with others")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            objects = [obj for obj in mesh_objects(context) if shape_keys.can_copy(obj)]
            names = [obj.name for obj in objects]
            for obj in objects:
                shape_keys.make_single_user(obj)
        except Motion324Error as error:
            return report_error(self, error)
        told = ", ".join(f"'{name}'" for name in names)
        self.report({"INFO"}, phrase("With a mesh of their own now: {names}", names=told))
        return {"FINISHED"}


class MOTION324_OT_remove_animation(bpy.types.Operator):
    """Remove the kept animation of the selected objects, and switch modifiers back on that it replaced"""

    bl_idname = "motion324.remove_animation"
    bl_label = "Remove Animation"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(keeping.is_kept(obj) for obj in mesh_objects(context)):
            cls.poll_message_set("No selected object has a kept animation")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            for obj in [each for each in mesh_objects(context) if keeping.is_kept(each)]:
                names = ", ".join(f"'{name}'" for name in keeping.remove_animation(obj))
                takes.remove(obj)
                if names:
                    self.report(
                        {"INFO"}, phrase("{names} of '{object}' switched on again", names=names, object=obj.name)
                    )
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
