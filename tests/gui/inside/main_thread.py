"""How long Blender's main thread is away at a time while 20,000 vertices x 256 frames arrive, and how fast they play.

A timer that wants to be called all the time notes the gaps between its calls: what keeps it waiting keeps the artist
waiting. What the add-on's own code takes is noted beside it, and what Blender alone takes to draw its window: here that
is done by the processor, and is most of it.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator

import bpy
import numpy as np
import stage
from driver import Driver, Wait

PATIENCE = 600  # seconds: other programs may be at work, too
SIDE = 142  # vertices along a side of the mesh: 20,164 in all
FRAMES = 256
PICTURE = 2048  # pixels along a side of its texture


class Gaps:
    """What keeps the main thread busy, by step of the story, in milliseconds.

    gaps: between two calls of the timer, on the clock and on the processor, which differ where other programs have it
    or the main thread waits; and whether Blender drew an editor in them.
    own: of the add-on's functions by name, each call's time on the clock and on the processor.
    """

    def __init__(self) -> None:
        self.step = ""
        self.gaps: dict[str, list[tuple[float, float, bool]]] = {}
        self.own: dict[str, list[tuple[float, float, str]]] = {}
        self._before = time.perf_counter(), time.thread_time()
        self._drawn = False
        bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "UI", "POST_PIXEL")
        for editor in ("View3D", "Outliner", "Properties", "DopeSheetEditor"):
            getattr(bpy.types, f"Space{editor}").draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        self._timer = self._call  # Blender knows a timer by its object
        bpy.app.timers.register(self._timer, persistent=True)

    def begin(self, step: str) -> None:
        """The gap that begins before it counts from here: what the story itself does in it is not Blender's."""
        self.step = step
        self._before, self._drawn = (time.perf_counter(), time.thread_time()), False
        self.gaps[step], self.own[step] = [], []

    def pause(self) -> None:
        self.step = ""

    def stop(self) -> None:
        self.pause()
        bpy.app.timers.unregister(self._timer)

    def watch(self, owner: object, name: str) -> None:
        """Counts the time in owner.name as the add-on's."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def timed(*given: object, **named: object) -> object:
            with self._counted(name):
                return inner(*given, **named)

        setattr(owner, name, timed)

    def watch_panel(self, panel: type[bpy.types.Panel]) -> None:
        """The same for drawing; Blender looks at how many arguments the function takes."""
        inner = panel.draw

        def draw(self_: bpy.types.Panel, context: bpy.types.Context) -> None:
            with self._counted(panel.__name__):
                inner(self_, context)

        panel.draw = draw

    @contextlib.contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        began, processor = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            if self.step:
                taken = time.perf_counter() - began, time.thread_time() - processor
                self.own[self.step].append((1000 * taken[0], 1000 * taken[1], name))

    def _call(self) -> float:
        now = time.perf_counter(), time.thread_time()
        if self.step:
            clock, processor = (1000 * (after - before) for after, before in zip(now, self._before, strict=True))
            self.gaps[self.step].append((clock, processor, self._drawn))
        self._before, self._drawn = now, False
        return 0.0

    def _draw(self) -> None:
        self._drawn = True

    def report(self) -> dict[str, dict[str, object]]:
        told = {}
        for step, gaps in self.gaps.items():
            clock, processor, name = max(self.own[step], default=(0.0, 0.0, ""))
            plain = [gap for gap in gaps if not gap[2]]
            told[step] = {
                "calls": len(gaps),
                "longest_gap": _longest(gaps, 0),
                "longest_gap_on_the_processor": _longest(gaps, 1),
                "gaps_above_50": sum(gap[0] > 50 for gap in gaps),
                "longest_without_drawing": _longest(plain, 0),
                "longest_without_drawing_on_the_processor": _longest(plain, 1),
                "longest_own": round(clock, 1),
                "on_the_processor": round(processor, 1),
                "which": name,
                "most_on_the_processor": round(max((call[1] for call in self.own[step]), default=0.0), 1),
            }
        return told


def _longest(gaps: list[tuple[float, float, bool]], place: int) -> float:
    return round(max((gap[place] for gap in gaps), default=0.0), 1)


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    yield from stage.open_sidebar(driver)
    bpy.context.preferences.addons[stage.PACKAGE].preferences.backend_python = backend
    _empty()
    _draw_little(driver)
    report = {"playback_fps_of_nothing": (yield from _play(driver))}
    _sheet()
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "sheet.blend"))
    settings = bpy.context.scene.motion324
    settings.video = video
    with driver.context():
        bpy.ops.ed.undo_push(message="the sheet")
    yield 5.0
    gaps = Gaps()
    _watch(gaps)
    gaps.begin("nothing happens")
    yield 2.0
    gaps.begin("the view is drawn")
    yield from _redraw(driver)
    began = time.perf_counter()
    gaps.begin("frames arrive")
    yield from _animate(driver)
    report["seconds_of_job"] = round(time.perf_counter() - began, 1)
    gaps.begin("the preview plays")
    report["playback_fps"] = yield from _play(driver)
    report["frame_ms"] = _frame_times()
    gaps.begin("a point cache is kept")
    yield from _keep(driver, "keep_point_cache")
    gaps.begin("a kept take is changed")
    yield from _change_kept(driver)
    gaps.pause()
    report["undo_step_ms_with_a_point_cache"] = _undo_step(driver)
    gaps.begin("undo")
    with driver.context():
        bpy.ops.ed.undo()
    yield 1.0
    gaps.begin("frames arrive and become shape keys")
    with driver.context():
        bpy.ops.motion324.animate(keep="SHAPE_KEYS")
    yield from driver.wait_until(lambda: _is_kept() or _runner().failures, PATIENCE, "the result is kept")
    assert not _runner().failures, _runner().failures
    yield 1.0
    gaps.stop()
    report["undo_step_ms_with_shape_keys"] = _undo_step(driver)
    assert len(bpy.data.objects["Sheet"].data.shape_keys.key_blocks) == FRAMES + 1
    with driver.context():
        bpy.ops.ed.undo()
    assert bpy.data.objects["Sheet"].data.shape_keys is None  # one step for all of it
    return {**report, "gaps": gaps.report()}


def _runner():
    return stage.module("job.runner").runner


def _is_kept() -> bool:
    """As shape keys; the job itself stays known for an undo."""
    return bpy.data.objects["Sheet"].data.shape_keys is not None and not _runner().jobs.busy and not _runner().results


def _watch(gaps: Gaps) -> None:
    """Everything of the add-on that runs on the main thread: ticks, operators, panels, handlers."""
    runner = _runner()
    gaps.watch(runner, "_timer")
    gaps.watch(runner, "start")
    tweaks = stage.module("job.tweaks")
    gaps.watch(tweaks, "wish")
    gaps.watch(tweaks, "_begin")
    gaps.watch(tweaks, "_adopt")
    reporting = stage.module("operators.reporting")
    gaps.watch(reporting.SteppedOperator, "_until")
    for name in dir(bpy.types):
        if name.startswith("MOTION324_PT"):
            gaps.watch_panel(getattr(bpy.types, name))


def _redraw(driver: Driver) -> Wait:
    """What Blender alone takes to show a mesh that has changed."""
    for _ in range(10):
        bpy.context.object.update_tag(refresh={"DATA"})
        for area in driver.window.screen.areas:
            area.tag_redraw()
        yield 0.4


def _draw_little(driver: Driver) -> None:
    """Here the processor draws: a picture of the usual size takes it a third of a second."""
    bpy.context.preferences.system.viewport_aa = "OFF"
    space = driver.area.spaces.active
    space.overlay.show_overlays = False
    space.show_gizmo = False
    space.region_3d.view_distance = 60  # the sheet is a few pixels


def _empty() -> None:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)


def _sheet() -> None:
    """20,164 vertices with a texture and colours, in view."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=SIDE - 1, y_subdivisions=SIDE - 1)
    obj = bpy.context.object
    obj.name = "Sheet"
    assert len(obj.data.vertices) == SIDE * SIDE
    obj.data.color_attributes.new("Colour", "BYTE_COLOR", "CORNER")
    image = bpy.data.images.new("Picture", PICTURE, PICTURE)
    image.pixels.foreach_set(np.tile(np.float32([0.2, 0.5, 0.8, 1.0]), PICTURE * PICTURE))
    image.pack()
    assert image.pixels[0] > 0  # it is loaded, as where a view has shown it
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    shader = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    obj.data.materials.append(material)


def _animate(driver: Driver) -> Wait:
    with driver.context():
        bpy.ops.motion324.animate("INVOKE_DEFAULT")
    yield from driver.wait_until(lambda: not _runner().jobs.busy, PATIENCE, "the job has ended")
    state = _runner().state
    assert state.phase.value == "done", state
    assert state.frames == FRAMES
    yield 1.0


def _play(driver: Driver) -> Wait:
    """Frames per second that Blender shows when it may show as many as it can; drawn by software here."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1, FRAMES, 240
    shown: list[float] = []
    count = lambda *_: shown.append(time.perf_counter())  # noqa: E731
    bpy.app.handlers.frame_change_post.append(count)
    with driver.context():
        bpy.ops.screen.animation_play(sync=False)
    yield 5.0
    with driver.context():
        bpy.ops.screen.animation_cancel()
    bpy.app.handlers.frame_change_post.remove(count)
    scene.render.fps = 24
    return round((len(shown) - 1) / (shown[-1] - shown[0]), 1)


def _undo_step(driver: Driver) -> float:
    """Milliseconds that Blender takes to remember the file as it is, with nothing of the add-on in them."""
    bpy.context.object.location.x += 1.0
    began = time.perf_counter()
    with driver.context():
        bpy.ops.ed.undo_push(message="a step")
    taken = round(1000 * (time.perf_counter() - began), 1)
    with driver.context():
        bpy.ops.ed.undo()
    return taken


def _frame_times() -> float:
    """Milliseconds to evaluate a frame, without drawing it: the median of many."""
    taken = []
    for frame in range(1, FRAMES, 4):
        began = time.perf_counter()
        bpy.context.scene.frame_set(frame)
        taken.append(1000 * (time.perf_counter() - began))
    return round(float(np.median(taken)), 2)


def _change_kept(driver: Driver) -> Wait:
    """It waits again for that, and is let go."""
    bpy.data.objects["Sheet"].motion324_tweak.strength = 0.5
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "the kept take waits again")
    assert _runner().animation.tweak.strength == 0.5
    yield 0.5
    with driver.context():
        bpy.ops.motion324.discard()
    yield 0.5


def _keep(driver: Driver, name: str) -> Wait:
    with driver.context():
        getattr(bpy.ops.motion324, name)("INVOKE_DEFAULT", True)
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the result is kept")
    yield 1.0
