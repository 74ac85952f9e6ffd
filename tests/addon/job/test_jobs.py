"""Jobs as a window runs them: beside the artist's work, one after another. The tests call the timer themselves."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.shapes import SHIBA, add_object, ball, ngon_object, rest, shown
from addon.wobble import wobble

ROUNDING = 1e-6
PREVIEW = "Motion324 Preview"


class Window:
    """runner: the add-on's; order(obj, video): an order for it; until(condition): time passes."""

    def __init__(self, addon) -> None:
        self._addon = addon
        self.runner = addon("job.runner").runner

    def order(self, obj, video, **values):
        from motion324.core.options.animate_options import AnimateOptions

        where = self._addon("settings.preferences").connection()
        return self._addon("job.records").Order(obj, video, AnimateOptions(), where, 1.0, **values)

    def start(self, obj, video, **values) -> int:
        return self.runner.start(self.order(obj, video, **values))

    def until(self, condition, seconds: float = 20.0) -> float:
        """How long it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, self.runner.jobs
            self.runner._tick()
            time.sleep(0.01)
        return time.monotonic() - began

    def until_idle(self) -> None:
        self.until(lambda: not self.runner.jobs.busy)

    @property
    def phase(self) -> str:
        return self.runner.state.phase.value


@pytest.fixture
def window(addon, backend, monkeypatch) -> Window:
    monkeypatch.setattr(addon("job.runner"), "is_background", lambda: False)
    return Window(addon)


def previews(obj) -> list[str]:
    return [modifier.name for modifier in obj.modifiers]


def test_frames_stream_into_a_preview_that_cancel_takes_away(window, video):
    obj = ball()
    base = rest(obj)
    window.start(obj, video(frames=40, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 5)
    assert [m.type for m in obj.modifiers] == ["MESH_CACHE"]
    np.testing.assert_allclose(shown(obj, 3), wobble(base, 3)[2], atol=ROUNDING)
    window.runner.cancel()
    assert not obj.modifiers and window.phase == "cancelled"
    np.testing.assert_array_equal(shown(obj, 3), base)


def test_a_preview_can_be_coloured_by_doubt_and_so_is_the_result_that_it_becomes(window, video):
    obj = ball()
    vertices = len(obj.data.vertices)
    window.start(obj, video(frames=10, pause=0.05))
    assert window.runner.preview_doubt(obj, 1.0) is None, "nothing has come"
    window.until(lambda: window.runner.state.frames_ready >= 5)
    bpy.context.scene.frame_set(5)
    bpy.ops.motion324.show_doubt()
    reds = np.array([each.color[0] for each in obj.data.color_attributes.active_color.data])
    steps = np.diff(reds)
    np.testing.assert_allclose(steps, (0.9 - 0.12) * 0.5 / (vertices - 1), atol=1e-3)
    window.until_idle()
    bpy.context.scene.frame_set(10)
    later = np.array([each.color[0] for each in obj.data.color_attributes.active_color.data])
    np.testing.assert_allclose(later - later[0], 2 * (reds - reds[0]), atol=3e-3)
    window.runner.discard()
    with pytest.raises(RuntimeError):  # the button is pressed to hide it, and then there is nothing to show
        bpy.ops.motion324.show_doubt()
        bpy.ops.motion324.show_doubt()


def test_what_the_scene_shows_follows_the_frames_that_come(window, video):
    obj = ball()
    base = rest(obj)
    bpy.context.scene.frame_set(9)
    window.start(obj, video(frames=12, pause=0.05))
    window.until(lambda: 2 <= window.runner.state.frames_ready < 9)
    window.until_idle()
    np.testing.assert_allclose(shown(obj), wobble(base, 9)[8], atol=ROUNDING)


def test_the_preview_keeps_the_time_that_the_result_will_have(window, addon, video):
    bpy.context.scene.render.fps = 24
    order = window.order(ball(), video(frames=8, fps=15, pause=0.05), mode="KEEP_DURATION", fps=15.0)
    window.runner.start(order)
    window.until(lambda: window.runner.state.frames_ready >= 3)
    (streamed,) = window.runner.previews()
    window.until_idle()
    (final,) = window.runner.previews()
    assert streamed.timing.step == final.timing.step == 24 / 15


def test_an_order_of_a_window_knows_the_frame_rate_of_its_video(addon, backend, monkeypatch):
    animate, facts = addon("operators.animation"), addon("settings.source_video").VideoFacts(29, 30.0, (512, 512))
    monkeypatch.setattr(animate, "is_background", lambda: False)
    monkeypatch.setattr(animate, "facts_of", lambda video: facts)
    ball()
    settings = bpy.context.scene.motion324
    settings.video, settings.timing, settings.frame_step = str(SHIBA), "KEEP_DURATION", 2
    button = SimpleNamespace(only_active=False, single_user=False)
    order = animate.MOTION324_OT_animate._order(button, bpy.context, settings, "NONE")
    assert (order.fps, order.frames, order.pixels) == (15.0, 15, 512 * 512)
    settings.timing, settings.custom_fps = "CUSTOM_FPS", 48
    assert animate.MOTION324_OT_animate._order(button, bpy.context, settings, "NONE").fps == 48


def test_orders_run_one_after_another_and_every_result_waits_on_its_own_object(window, video):
    one, two, three = ball("One"), ball("Two"), ball("Three")
    base = rest(one)
    window.start(one, video(frames=3, pause=0.1))
    window.start(two, video(frames=4))
    window.start(three, video(frames=5))
    assert [job.object_name for job in window.runner.queue] == ["Two", "Three"]
    window.runner.unqueue(0)
    window.until(lambda: len(window.runner.results) == 2)
    assert [job.object_name for job in window.runner.results] == ["One", "Three"]
    assert [previews(obj) for obj in (one, two, three)] == [[PREVIEW], [], [PREVIEW]]
    np.testing.assert_allclose(shown(one, 3), wobble(base, 3)[2], atol=ROUNDING)
    bpy.context.view_layer.objects.active = one
    assert window.runner.animation.target.name == "One"
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    assert len(one.data.shape_keys.key_blocks) == 4
    assert [job.object_name for job in window.runner.results] == ["Three"] and previews(three) == [PREVIEW]
    bpy.context.view_layer.objects.active = two
    assert window.runner.animation.target.name == "Three"  # the newest, where the active object has none
    assert bpy.ops.motion324.discard() == {"FINISHED"}
    assert window.runner.state.phase.value == "idle" and not three.modifiers


def test_a_result_waits_and_is_shown_until_the_next_one_of_its_object_is_there(window, video):
    obj = ball()
    base = rest(obj)
    window.start(obj, video(frames=3))
    window.until_idle()
    first = window.runner.results
    window.start(obj, video(do="fail"))
    window.until_idle()
    assert window.runner.results == first and len(window.runner.failures) == 1
    np.testing.assert_allclose(shown(obj, 3), wobble(base, 3)[2], atol=ROUNDING)
    window.start(obj, video(frames=40, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 5)
    np.testing.assert_allclose(shown(obj, 5), wobble(base, 5)[4], atol=ROUNDING)
    window.runner.cancel()
    np.testing.assert_allclose(shown(obj, 5), wobble(base, 3)[2], atol=ROUNDING)  # the last one of the first result
    window.runner.start(dataclasses.replace(window.order(obj, video(frames=6)), start=3.0))
    window.until_idle()
    assert [job.frames for job in window.runner.results] == [6] and previews(obj) == [PREVIEW]
    np.testing.assert_array_equal(window.runner.animation.positions[0], base)  # the first was no part of the pose
    np.testing.assert_allclose(shown(obj, 8), wobble(base, 6)[5], atol=ROUNDING)


def test_an_object_that_cannot_be_read_keeps_its_result(window, video):
    from motion324.core.errors import Motion324Error

    obj = ball()
    window.start(obj, video(frames=3))
    window.until_idle()
    obj.modifiers.new("Subdivision", "SUBSURF")
    obj.modifiers.new("Late", "SIMPLE_DEFORM").angle = 1
    with pytest.raises(Motion324Error, match="'Late' poses 'Ball' after 'Subdivision'"):
        window.start(obj, video(frames=3))
    assert len(window.runner.results) == 1 and not window.runner.jobs.busy
    assert previews(obj) == [PREVIEW, "Subdivision", "Late"]


def test_an_object_that_is_being_animated_or_waits_is_refused(window, video):
    from motion324.core.errors import Motion324Error

    one, two = ball("One"), ball("Two")
    window.start(one, video(do="wait"))
    window.start(two, video(frames=2))
    with pytest.raises(Motion324Error, match="'One' is being animated"):
        window.start(one, video(frames=2))
    with pytest.raises(Motion324Error, match="'Two' already waits to be animated"):
        window.start(two, video(frames=2))
    assert len(window.runner.jobs.jobs) == 2


def test_the_queue_goes_on_after_a_job_that_fails_or_is_cancelled(window, video):
    one, two, three = ball("One"), ball("Two"), ball("Three")
    window.start(one, video(do="fail"))
    window.start(two, video(do="wait"))
    window.start(three, video(frames=2))
    window.until(lambda: window.runner.state.stage and window.runner.state.object_name == "Two")
    window.runner.cancel()
    window.until_idle()
    assert [job.object_name for job in window.runner.results] == ["Three"]
    assert [job.problem.code for job in window.runner.failures] == ["no-foreground"]


def test_a_job_that_cannot_begin_fails_and_the_next_one_starts(window, addon, video, monkeypatch):
    effects = addon("job.effects")
    start_work = effects.start_work

    def only_the_second(number, *rest, **more):
        if number == first:
            raise OSError(28, "No space left on device")
        return start_work(number, *rest, **more)

    monkeypatch.setattr(effects, "start_work", only_the_second)
    first = window.runner.jobs.newest + 1
    window.start(ball(), video())
    second = window.start(ball(), video())
    window.until_idle()
    assert [job.number for job in window.runner.failures] == [first]
    assert "no room left" in window.runner.failures[0].problem.sentence
    assert [job.number for job in window.runner.results] == [second]


@pytest.mark.parametrize("busy", [False, True], ids=["alone", "behind another"])
def test_a_job_whose_reading_failed_in_a_later_step_is_read_again_on_restart(window, addon, video, monkeypatch, busy):
    records = addon("job.records")
    read = records.read_objects_in_steps

    def failing(objects, frame):
        yield next(read(objects, frame), None) and None
        raise OSError(5, "the picture cannot be read")

    monkeypatch.setattr(records, "read_objects_in_steps", failing)
    obj = ball("Broken")
    number = window.start(obj, video(frames=3))
    window.until_idle()
    assert [job.number for job in window.runner.failures] == [number]
    for again in range(2):  # the first time it fails again
        if again:
            monkeypatch.setattr(records, "read_objects_in_steps", read)
        other = window.start(ball("Other"), video(frames=3)) if busy and again else None
        window.runner.restart(number)
        window.until_idle()
        assert [job.number for job in window.runner.failures] == ([] if again else [number])
    assert {job.number for job in window.runner.results} == {number} | ({other} if busy else set())
    np.testing.assert_allclose(shown(obj, 1), rest(obj), atol=ROUNDING)
    after = window.start(ball("After"), video(frames=2))
    window.until_idle()
    assert after in [job.number for job in window.runner.results]


def textured(obj):
    """With a picture, so that reading the object takes more than one step."""
    material = bpy.data.materials.new("Painted")
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.new("Paint", 8, 8)
    material.node_tree.links.new(
        node.outputs["Color"], material.node_tree.nodes["Principled BSDF"].inputs["Base Color"]
    )
    obj.data.materials.append(material)
    return obj


class Broken:
    """An object and a video whose job fails in one of its later steps, until `mend` is called. code: of the problem."""

    def __init__(self, why: str, addon, video, monkeypatch) -> None:
        self.obj, self.video, self.code = textured(ball("Broken")), video(frames=2), "internal"
        places = rest(self.obj)
        self.mend = lambda: self._place(places)
        if why == "no extent":
            self._place(np.zeros_like(places))
            self.code = "mesh-zero-extent"
        elif why == "picture":

            def unreadable(image):
                yield None
                raise RuntimeError("the picture cannot be read")

            with_pixels = addon("scene.reading.mesh_reading")
            read = with_pixels.read_pixels
            monkeypatch.setattr(with_pixels, "read_pixels", unreadable)
            self.mend = lambda: monkeypatch.setattr(with_pixels, "read_pixels", read)
        else:
            self.video = video(do=why)
            self.mend = lambda: self.video.write_text('{"do": "wobble", "frames": 2}')
            self.code = {"fail": "no-foreground", "die": "backend-lost"}[why]

    def _place(self, places: np.ndarray) -> None:
        self.obj.data.vertices.foreach_set("co", places.ravel())
        self.obj.data.update()


@pytest.mark.parametrize("why", ["no extent", "picture", "fail", "die"])
def test_restart_fails_as_often_as_its_reason_lasts_and_others_go_on(window, addon, video, monkeypatch, why):
    broken = Broken(why, addon, video, monkeypatch)
    number, others = window.start(broken.obj, broken.video), []
    for attempt in range(4):
        others.append(window.start(ball(f"Other {attempt}"), video(frames=2)))
        window.until_idle()
        assert [job.number for job in window.runner.results] == (others if attempt < 3 else [number, *others])
        if attempt == 3:
            break
        assert [(job.number, job.problem.code) for job in window.runner.failures] == [(number, broken.code)]
        if attempt == 2:
            broken.mend()
        window.runner.restart(number)
    assert not window.runner.failures and not window.runner.queue
    np.testing.assert_allclose(shown(broken.obj, 2), wobble(rest(broken.obj), 2)[1], atol=ROUNDING)


def test_restart_of_an_object_in_edit_mode_says_so_and_others_go_on(window, addon, video, monkeypatch):
    broken = Broken("no extent", addon, video, monkeypatch)
    number = window.start(broken.obj, broken.video)
    window.until_idle()
    window.start(ball("Other"), video(do="wait"))
    broken.mend()
    bpy.context.view_layer.objects.active = broken.obj
    bpy.ops.object.mode_set(mode="EDIT")
    window.runner.restart(number)
    window.runner.cancel()
    window.until_idle()
    assert [(job.number, job.problem.code) for job in window.runner.failures] == [(number, "edit-mode")]
    bpy.ops.object.mode_set(mode="OBJECT")
    window.runner.restart(number)
    window.until_idle()
    assert [job.number for job in window.runner.results] == [number]


def test_a_job_whose_object_is_gone_fails_again_on_restart(window, addon, video, monkeypatch):
    records = addon("job.records")
    read = records.read_objects_in_steps

    def failing(objects, frame):
        yield None
        raise OSError(5, "the picture cannot be read")

    monkeypatch.setattr(records, "read_objects_in_steps", failing)
    obj = ball("Gone")
    number = window.start(obj, video(frames=3))
    window.until_idle()
    monkeypatch.setattr(records, "read_objects_in_steps", read)
    bpy.data.objects.remove(obj)
    window.runner.restart(number)
    window.until_idle()
    assert window.runner.failures[0].problem.code == "object-gone"


def test_who_waits_for_a_result_is_told_which_job_it_is(window, video):
    done, path = [], video(do="fail")
    number = window.start(ball("One"), path, when_done=done.append)
    window.start(ball("Two"), video(frames=2))
    window.until_idle()
    path.write_text('{"do": "wobble", "frames": 2}')
    window.runner.restart(number)
    window.until_idle()
    assert done == [number] and window.runner.results[-1].number == number + 1


def test_cancel_works_at_once_while_the_backend_is_being_started(window, video, backend):
    backend.stop()
    one, two = ball("One"), ball("Two")
    window.start(one, video(frames=2))
    window.start(two, video(frames=2))
    began = time.monotonic()
    window.runner.cancel()
    assert time.monotonic() - began < 1.0 and window.runner.state.object_name == "Two"
    window.until_idle()
    assert window.phase == "done"


def test_a_saved_file_has_no_preview_and_the_open_one_still_shows_it(window, video, tmp_path):
    obj = ball()
    base = rest(obj)
    window.start(obj, video(frames=4))
    window.until_idle()
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    np.testing.assert_allclose(shown(obj, 3), wobble(base, 3)[2], atol=ROUNDING)
    shutil.copyfile(path, tmp_path / "copy.blend")  # Blender takes nothing from a file that is open
    with bpy.data.libraries.load(str(tmp_path / "copy.blend")) as (_, into):
        into.objects = ["Ball"]
    assert not into.objects[0].modifiers
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert not bpy.data.objects["Ball"].modifiers and window.runner.results == ()


def test_a_file_that_was_saved_in_the_middle_of_a_job_has_no_preview(window, video, tmp_path):
    obj = ball()
    window.start(obj, video(frames=40, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 3)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert previews(obj) == [PREVIEW]
    folder = Path(obj.modifiers[0].filepath.replace("//", f"{tmp_path}/")).parent
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert not bpy.data.objects["Ball"].modifiers
    window.until(lambda: not folder.exists())


def test_opening_another_file_cancels_what_runs_and_what_waits_and_says_so(window, video, capsys):
    window.start(ball("One"), video(do="wait"))
    window.start(ball("Two"), video(do="wait"))
    window.until(lambda: window.runner.state.stage)
    began = time.monotonic()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert time.monotonic() - began < 10
    told = "Another file was opened: the animation of 'One' and 1 more that waited were cancelled."
    assert (window.phase, window.runner.state.notice) == ("cancelled", told)
    assert told in capsys.readouterr().out
    window.start(ball("Three"), video(frames=2))
    window.until_idle()
    assert window.phase == "done"


@pytest.mark.parametrize(
    ("names", "runs", "told"),
    [
        (("One",), False, "the result of 'One' was forgotten."),
        (("One", "Two"), False, "2 results were forgotten."),
        (("One",), True, "the animation of 'Last' was cancelled, and the result of 'One' was forgotten."),
    ],
)
def test_opening_another_file_forgets_results_and_says_so(window, video, tmp_path, capsys, names, runs, told):
    for name in names:
        window.start(ball(name), video(frames=2))
    window.until_idle()
    if runs:
        window.start(ball("Last"), video(do="wait"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert window.runner.state.notice == f"Another file was opened: {told}"
    assert told in capsys.readouterr().out
    assert bpy.ops.motion324.discard(job=window.runner.state.number) == {"FINISHED"}
    assert window.phase == "idle" and window.runner.previews() == []


@pytest.mark.parametrize("content", [None, b"BLENDER-v405 and nothing more"])
def test_a_file_that_cannot_be_opened_leaves_jobs_and_results_as_they_are(window, video, tmp_path, content):
    one, two = ball("One"), ball("Two")
    window.start(one, video(frames=2))
    window.until_idle()
    window.start(two, video(frames=12, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    path = tmp_path / "bad.blend"
    if content:
        path.write_bytes(content)
    with pytest.raises(RuntimeError):
        bpy.ops.wm.open_mainfile(filepath=str(path))
    assert window.phase == "running" and [previews(obj) for obj in (one, two)] == [[PREVIEW], [PREVIEW]]
    window.until_idle()
    assert [job.object_name for job in window.runner.results] == ["One", "Two"]


def test_undo_and_redo_while_a_job_runs_leave_it_running_and_shown(window, video):
    obj = ball()
    base = rest(obj)
    bpy.ops.ed.undo_push(message="the ball")
    obj.location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    window.start(obj, video(frames=30, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 3)
    bpy.ops.ed.undo()
    assert bpy.data.objects["Ball"].location.x == 0 and previews(bpy.data.objects["Ball"]) == [PREVIEW]
    bpy.ops.ed.redo()
    bpy.ops.ed.undo()
    window.until_idle()
    assert window.phase == "done"
    np.testing.assert_allclose(shown(bpy.data.objects["Ball"], 4), wobble(base, 4)[3], atol=ROUNDING)


def test_undo_that_removes_the_object_does_not_end_the_job(window, video):
    bpy.ops.ed.undo_push(message="empty")
    obj = ball()
    bpy.ops.ed.undo_push(message="the ball")
    window.start(obj, video(frames=6, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    bpy.ops.ed.undo()
    assert "Ball" not in bpy.data.objects
    window.until_idle()
    with pytest.raises(RuntimeError, match="The object 'Ball' that was animated is no longer there"):
        bpy.ops.motion324.keep_shape_keys()
    bpy.ops.ed.redo()
    assert previews(bpy.data.objects["Ball"]) == [PREVIEW]
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    assert len(bpy.data.objects["Ball"].data.shape_keys.key_blocks) == 7


def test_a_renamed_object_gets_its_result_and_a_copy_no_preview(window, video):
    obj = ball()
    base = rest(obj)
    window.start(obj, video(frames=6, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    copy = obj.copy()
    copy.data = obj.data.copy()
    bpy.context.scene.collection.objects.link(copy)
    obj.name = "Renamed"
    add_object("Ball", bpy.data.meshes.new("Other"))
    window.until_idle()
    np.testing.assert_allclose(shown(obj, 6), wobble(base, 6)[5], atol=ROUNDING)
    bpy.context.view_layer.objects.active = obj
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    assert not any(previews(each) for each in bpy.data.objects)


def test_an_edited_mesh_is_refused_at_the_bake_with_the_reason(window, video, tmp_path):
    obj = ngon_object()
    window.start(obj, video(frames=6, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    obj.data.vertices.add(1)
    window.until_idle()
    operators = bpy.ops.motion324
    for keep, arguments in ((operators.keep_shape_keys, {}), (operators.keep_point_cache, {"folder": str(tmp_path)})):
        with pytest.raises(RuntimeError, match="The mesh of 'Ngon' was changed since the job was started"):
            keep(**arguments)
    assert not list(tmp_path.glob("*.pc2"))
    assert len(window.runner.results) == 1  # undoing the change is still possible
    assert bpy.ops.motion324.discard() == {"FINISHED"} and not obj.modifiers


def test_a_deleted_object_is_told_at_the_bake(window, video):
    obj = ball()
    window.start(obj, video(frames=6, pause=0.05))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    bpy.data.objects.remove(obj)
    window.until_idle()
    with pytest.raises(RuntimeError, match="The object 'Ball' that was animated is no longer there"):
        bpy.ops.motion324.keep_shape_keys()


def test_pictures_are_read_in_steps_while_the_pose_is_that_of_the_order(window, video):
    obj = ball()
    base = rest(obj)
    for name in ("One", "Two"):
        image = bpy.data.images.new(name, 64, 64)
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        texture = material.node_tree.nodes.new("ShaderNodeTexImage")
        texture.image = image
        shader = material.node_tree.nodes["Principled BSDF"]
        material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        obj.data.materials.append(material)
    obj.data.polygons[0].material_index = 1
    window.start(obj, video(frames=3))
    obj.data.vertices.foreach_set("co", (base * 2).ravel())
    bpy.data.images.remove(bpy.data.images["Two"])
    window.until_idle()
    np.testing.assert_allclose(window.runner.animation.positions[0], base, atol=ROUNDING)
    assert "'Two' has no pixels to read" in window.runner.state.warnings[0]


def newest_child() -> int | None:
    """The process that this one started last."""
    children = Path(f"/proc/{os.getpid()}/task")
    found = [int(pid) for task in children.iterdir() for pid in (task / "children").read_text().split()]
    return max(found, default=None)


STAGES = {  # what the job is to do, and when the backend is killed
    "start": ({"frames": 2}, lambda state, backend: newest_child() is not None),
    "connect": ({"do": "wait"}, lambda state, backend: backend.pid() is not None),
    "running": ({"do": "wait"}, lambda state, backend: state.stage),
    "frames": ({"frames": 40, "pause": 0.05}, lambda state, backend: state.frames_ready >= 3),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_backend_is_noticed_within_two_seconds_and_the_job_can_be_restarted(window, video, backend, stage):
    obj = ball()
    base = rest(obj)
    if stage in ("start", "connect"):
        backend.stop()
    wish, when = STAGES[stage]
    path = video(**wish)
    window.start(obj, path)
    window.until(lambda: when(window.runner.state, backend))
    assert window.runner.state.busy
    os.kill(newest_child() if stage == "start" else backend.pid(), signal.SIGKILL)
    assert window.until(lambda: not window.runner.jobs.busy) < 2.0
    problem = window.runner.state.problem
    assert (window.phase, window.runner.failures) == ("lost", (window.runner.state,))
    assert "signal 9" in problem.sentence + problem.hint and "last lines" in problem.hint
    assert not obj.modifiers and obj.data.shape_keys is None
    path.write_text('{"do": "wobble", "frames": 3}')
    assert bpy.ops.motion324.restart() == {"FINISHED"}
    window.until_idle()
    assert window.phase == "done"
    np.testing.assert_allclose(shown(obj, 3), wobble(base, 3)[2], atol=ROUNDING)


def test_a_backend_killed_while_jobs_wait_is_told_and_the_next_one_starts_another(window, video, backend):
    one, two = ball("One"), ball("Two")
    window.start(one, video(do="wait"))
    window.start(two, video(frames=2))
    window.until(lambda: window.runner.state.stage)
    killed = backend.pid()
    os.kill(killed, signal.SIGKILL)
    window.until(lambda: window.runner.results)
    assert [job.object_name for job in window.runner.results] == ["Two"]
    assert [job.phase.value for job in window.runner.failures] == ["lost"]
    assert backend.pid() not in (None, killed)


def test_a_backend_killed_while_a_result_waits_takes_nothing_away(window, video, backend):
    obj = ball()
    window.start(obj, video(frames=3))
    window.until_idle()
    os.kill(backend.pid(), signal.SIGKILL)
    window.runner._tick()
    assert window.phase == "done"
    assert bpy.ops.motion324.keep_shape_keys() == {"FINISHED"}
    window.start(ball("Next"), video(frames=2))
    window.until_idle()
    assert window.phase == "done"


def test_a_backend_killed_while_it_sends_the_result_is_noticed(window, video, backend):
    obj = ball(segments=160)
    window.start(obj, video(frames=200, last_words="now"))
    window.until(lambda: window.runner.state.frames_ready >= 199, 60)
    os.kill(backend.pid(), signal.SIGKILL)
    took = window.until(lambda: not window.runner.jobs.busy)
    assert took < 10 and window.phase in ("lost", "done")  # it may just have sent all of it


def test_the_queue_survives_until_the_add_on_is_switched_off(window, video, backend, addon):
    obj = ball()
    window.start(obj, video(frames=40, pause=0.05))
    window.start(ball("Two"), video(do="wait"))
    window.until(lambda: window.runner.state.frames_ready >= 2)
    began = time.monotonic()
    addon("job.file_handlers").unregister()
    backend.stop()
    try:
        assert time.monotonic() - began < 20
        assert window.runner.jobs.jobs == () and not obj.modifiers and backend.pid() is None
    finally:
        addon("job.file_handlers").register()
