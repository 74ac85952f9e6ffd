"""Every panel in every state, drawn on paper: nothing that this Blender lacks, and all that the user has to know."""

from __future__ import annotations

import dataclasses
import itertools
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from addon.paper_layout import Paper
from addon.shapes import SHIBA, ball, camera_at


@pytest.fixture
def draw(addon):
    """draw() draws the sidebar on paper: all panels that are shown now."""

    def all_panels() -> Paper:
        paper, context = Paper(), context_now()
        for panel in addon("panels").CLASSES:
            if getattr(panel, "poll", lambda _: True)(context):
                panel.draw(SimpleNamespace(layout=paper), context)
        return paper

    return all_panels


def context_now() -> SimpleNamespace:
    now = bpy.context
    return SimpleNamespace(
        scene=now.scene,
        object=now.view_layer.objects.active,
        selected_objects=list(now.selected_objects),
        view_layer=now.view_layer,
        preferences=now.preferences,
        region=SimpleNamespace(width=300),
        screen=None,
        space_data=None,
        region_data=None,
    )


@pytest.fixture
def state(addon):
    return addon("job.state")


@pytest.fixture
def show_jobs(addon, state):
    """show_jobs(phase=..., ...) has the panels show such a job."""
    records = addon("job.runner").runner._records

    def show(**fields: object) -> None:
        given = {"number": 1, "object_name": "Fox", "video_name": "fox.mp4", **fields}
        records.jobs = state.Jobs((state.JobState(**given),), 1)

    yield show
    records.jobs = state.Jobs()


@pytest.fixture
def installation(addon):
    """The runner of the installation; its state is put back."""
    runner = addon("installation.runner").runner
    before = runner.state
    yield runner
    runner.state = before


def test_the_menu_has_every_button_of_the_panels_since_the_search_finds_nothing_else(addon):
    paper = Paper()
    addon("ui.menu").MOTION324_MT_object.draw(SimpleNamespace(layout=paper), context_now())
    names = {getattr(bpy.ops.motion324, name).get_rna_type().name for name in dir(bpy.ops.motion324)}
    assert len(names) == len(dir(bpy.ops.motion324)), "no two operators have the same name"
    folder = Path(addon("panels").__file__).parent
    sources = [*folder.glob("*.py"), folder.parent / "installation/drawing.py"]
    drawn = set(re.findall(r'"motion324\.(\w+)"', "".join(path.read_text("utf-8") for path in sources)))
    closing = {"cancel_look", "dismiss_installation"}  # what a panel shows
    assert {"animate", "export", "unqueue", "install_backend"} <= drawn
    assert {name for name in drawn - closing if not paper.has("operator", f"motion324.{name}")} == set()


def test_all_panels_also_those_that_buttons_open_stand_in_one_tab(addon):
    """Blender makes a tab "Misc" for one that names none, and shows nothing in it."""
    assert {getattr(panel, "bl_category", "") for panel in addon("panels").CLASSES} == {"Motion324"}


def test_buttons_of_one_operator_have_tooltips_of_their_own(addon, state, show_jobs):
    def tooltip(name: str, **arguments: object) -> str:
        operator = next(each for each in addon("operators").CLASSES if each.bl_idname == f"motion324.{name}")
        return operator.description(bpy.context, SimpleNamespace(**arguments))

    formats = addon("scene.exporting.export_formats").FORMATS
    assert len({tooltip("export", format=suffix) for suffix in formats}) == len(formats)
    assert "GLB: One shape key per frame" in tooltip("export", format=".glb")
    assert tooltip("align_view", camera=False).startswith("Turn the 3D viewport")
    assert tooltip("align_view", camera=True).startswith("Put a camera where")
    assert "animate it" in tooltip("new_mesh", animate=True) and "animate" not in tooltip("new_mesh", animate=False)
    assert "viewport" in tooltip("take_view", source="VIEWPORT") and "camera" in tooltip("take_view", source="CAMERA")
    for phase, told in (("DONE", "Take the result away"), ("FAILED", "Close this message"), ("LOST", "Close this")):
        show_jobs(phase=state.Phase[phase])
        assert tooltip("discard", job=1).startswith(told) and tooltip("discard", job=0).startswith(told), phase
    assert tooltip("cancel_look", look="VIEW") == "Close this message"
    look = addon("examining.looks").view_look
    before, look.look = look.look, dataclasses.replace(look.look, running=True)
    assert tooltip("cancel_look", look="VIEW") == "Stop the search for the view"
    look.look = before


def test_the_first_run_explains_itself_and_offers_the_button(addon, draw, installation, monkeypatch):
    machine = addon("installation.plan")
    gpu = machine.Gpu("NVIDIA H200", "580.65.06")
    answered = threading.Event()

    def look(folder: Path):
        answered.wait(10)
        return machine.Machine("linux", "x64", gpu, 1 << 40)

    monkeypatch.setattr(machine, "look", look)
    installation.state = dataclasses.replace(installation.state, machine=None)
    installation._machine_look = None
    for _ in range(3):
        paper = draw()
        assert "Looking at this machine" in paper.texts and "about" not in paper.texts
    assert len([thread for thread in threading.enumerate() if thread.name == "motion324 look at the machine"]) == 1
    answered.set()
    while installation.state.machine is None:
        installation._tick()
        time.sleep(0.01)
    paper = draw()
    assert "NVIDIA H200 was found" in paper.texts and "3.2 GB" in paper.texts
    assert "apart from Blender's own Python" in paper.texts.replace("  ", " ")
    assert paper.has("operator", "motion324.install_backend")
    assert paper.has("operator", "motion324.install_from_folder")
    assert not paper.has("operator", "motion324.animate")


def test_every_state_of_the_installation_is_drawn_in_the_sidebar_and_in_the_preferences(addon, draw, installation):
    states = addon("installation.state")
    check = addon("installation.check")
    problem = addon("job.state").Problem("disk-full", "The disk is full.", "Free some space.", "/tmp/log")
    findings = tuple(check.Finding(verdict, verdict, "1.0", "Mend it") for verdict in ("fine", "warning", "problem"))
    preferences = bpy.context.preferences.addons[addon("job.storage").ADDON].preferences
    for backend, condition, phase, task in itertools.product(
        ("INSTALLED", "PYTHON", "REMOTE"), states.Condition, states.Phase, states.Task
    ):
        preferences.backend = backend
        installation._looked_at = float("inf")  # so that the disk is not looked at
        installation.state = states.InstallationState(
            condition,
            phase,
            task=task,
            stage=states.Stage.DOWNLOAD,
            done=3,
            total=10,
            unit=states.BYTES,
            remaining=4.0,
            problem=problem if phase is states.Phase.FAILED else None,
            report=check.Report(findings),
        )
        draw()
        paper = Paper()
        chosen = {name: getattr(preferences, name) for name in type(preferences).__annotations__}
        type(preferences).draw(SimpleNamespace(layout=paper, bl_rna=preferences.bl_rna, **chosen), context_now())
        assert phase is not states.Phase.FAILED or "The disk is full." in paper.texts
    preferences.backend = "INSTALLED"
    installation._looked_at = float("-inf")


@pytest.mark.parametrize("reconstructor", ["auto", "deformation-fit", "motion-transformer"])
@pytest.mark.parametrize("view", ["auto", "front", "angles", "camera", "viewport"])
def test_everything_that_can_be_set_is_drawn(addon, backend, draw, reconstructor, view):
    ball()
    settings = bpy.context.scene.motion324
    settings.video = str(SHIBA)
    settings.reconstructor, settings.view, settings.mask, settings.timing = reconstructor, view, "file", "CUSTOM_FPS"
    paper = draw()
    for name in ("video_shown", "first_frame", "mask_path", "custom_fps", "view", "pose", "reconstructor", "smooth"):
        assert paper.has("prop", name), name
    assert "Choose the masks" in paper.texts


def test_a_reason_is_told_once_below_the_button_animate(addon, backend, draw):
    paper = draw()
    assert paper.texts.count("Select a mesh object") == 1 and paper.are_live("motion324.animate") == [False]
    assert paper.are_live("motion324.new_mesh") == [False, False] and paper.has("operator", "motion324.load_example")
    bpy.context.scene.motion324.video = str(SHIBA)
    paper = draw()
    assert paper.are_live("motion324.new_mesh") == [True, True]
    bpy.context.scene.motion324.video = ""
    ball()
    paper = draw()
    assert paper.texts.count("Choose a video") == 1 and paper.are_live("motion324.find_view") == [False]
    assert not paper.has("operator", "motion324.new_mesh")  # there is a mesh
    bpy.context.scene.motion324.video = str(SHIBA)
    paper = draw()
    assert "Choose a video" not in paper.texts and paper.are_live("motion324.animate") == [True]


def test_show_and_export_are_there_for_what_moves_only(addon, backend, draw, video):
    ball()
    assert not draw().has("operator", "motion324.export") and not draw().has("operator", "motion324.turntable")
    bpy.ops.motion324.animate(video=str(video(frames=3)), keep="SHAPE_KEYS")
    assert draw().has("operator", "motion324.export") and draw().has("operator", "motion324.turntable")


def test_the_whole_of_something_is_a_word_and_not_a_zero(addon, backend, draw):
    ball()
    settings = bpy.context.scene.motion324
    settings.video = str(SHIBA)
    assert draw().has("prop", "all_frames") and not draw().has("prop", "frame_count")
    settings.all_frames = settings.all_per_second = False
    assert (settings.frame_count, settings.video_fps) == (29, 15)
    assert draw().has("prop", "frame_count") and draw().has("prop", "video_fps")
    settings.all_frames = settings.all_per_second = True
    assert (settings.frame_count, settings.video_fps) == (0, 0)
    rig = bpy.context.scene.motion324_rig
    assert draw().has("prop", "fewest_bones") and not draw().has("prop", "bones")
    rig.fewest_bones = False
    assert rig.bones == 12 and draw().has("prop", "bones")
    rig.fewest_bones = True
    assert rig.bones == 0


def test_the_video_is_shown_by_its_name_and_entered_by_its_path(addon, tmp_path):
    settings = bpy.context.scene.motion324
    settings.video_shown = str(tmp_path / "a fox" / "fox.mp4")
    assert settings.video_shown == "fox.mp4" and settings.video == str(tmp_path / "a fox" / "fox.mp4")
    settings.video_shown = "fox.mp4"  # as who only clicked into the field leaves it
    assert settings.video == str(tmp_path / "a fox" / "fox.mp4")


def test_another_speed_than_the_videos_is_told(addon, backend, draw):
    ball()
    settings = bpy.context.scene.motion324
    settings.video = str(SHIBA)
    bpy.context.scene.render.fps = 24
    assert settings.timing == "KEEP_DURATION" and "than the video" not in draw().texts
    settings.timing = "KEEP_FRAMES"
    assert "1.6 times faster than the video" in draw().texts


def test_the_time_of_the_whole_job_is_told_before_the_first_one_and_by_those_that_were_done(
    addon, backend, draw, monkeypatch, tmp_path
):
    estimate = addon("job.estimate")
    monkeypatch.setattr(estimate, "_path", lambda: tmp_path / "durations.json")
    ball()
    settings = bpy.context.scene.motion324
    settings.video = str(SHIBA)
    assert re.search(r"Ready: perhaps \d+ s", draw().texts.replace("  ", " "))
    report = {"mesh": {"vertices": len(bpy.context.object.data.vertices)}, "video": {"frames": 29, "size": [512, 512]}}
    options = addon("settings.properties").options_of(addon("settings.properties").shown_of(settings), bpy.context)
    where = addon("settings.preferences").connection()
    estimate.learn({**report, "seconds": {"read": 2.0, "reconstruct": 39.0}}, options, where)
    assert "Ready: about 41 s" in draw().texts.replace("  ", " ")


def test_a_poor_match_is_told_before_the_job_and_after_it(addon, backend, draw, video):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=3, overlap=0.59)))
    assert "59 % (poor)" in draw().texts
    bpy.ops.motion324.discard()
    look, looks = addon("examining.look"), addon("examining.looks")
    settings = bpy.context.scene.motion324
    settings.video = str(SHIBA)
    bpy.ops.motion324.find_view(video=str(video(overlap=0.59)))
    assert "Match 59 % (poor): does the video show this mesh?" in draw().texts.replace("  ", " ")
    looks.forget()
    assert look.Look() == looks.view_look.look


def test_the_cameras_angles_can_be_taken_where_there_is_a_camera(addon, backend, draw):
    ball()
    bpy.context.scene.motion324.view = "angles"
    paper = draw()
    assert paper.are_live("motion324.take_view", source="VIEWPORT") == [True]
    assert paper.are_live("motion324.take_view", source="CAMERA") == [False]
    assert "no active camera to take the angles from" in paper.texts
    camera_at(30, 10)
    paper = draw()
    assert paper.are_live("motion324.take_view", source="CAMERA") == [True] and "no active camera" not in paper.texts


def test_what_cannot_be_shown_or_exported_is_told_before_a_file_browser_opens(addon, draw):
    operators = bpy.ops.motion324
    obj = ball()
    for operator in (operators.export, operators.turntable, operators.find_view):
        assert operator.poll()
    bpy.ops.object.mode_set(mode="EDIT")
    assert not operators.export.poll() and not operators.turntable.poll() and not operators.find_view.poll()
    with pytest.raises(RuntimeError, match="Leave Edit Mode"):
        operators.export(filepath="never.fbx")
    assert draw().texts.count("Leave Edit Mode") <= 1
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.data.clear_geometry()
    assert not operators.export.poll() and not operators.turntable.poll()


def test_shape_keys_that_cannot_be_are_told_where_they_would_be_kept(addon, backend, draw, video):
    one = ball("One")
    ball("Other")
    one.select_set(True)
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    keep = "motion324.keep_shape_keys"
    assert draw().are_live(keep) == [True] * 3, "both, and one by one"
    tooltip = addon("operators.results").MOTION324_OT_keep_shape_keys.description
    job = addon("job.runner").runner.results[-1].number
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="EDIT")
    paper = draw()
    assert paper.are_live(keep, object_name="One") == [True] and paper.are_live(keep, object_name="Other") == [False]
    assert paper.are_live(keep) == [False, False, True]  # both, Other, One
    assert "'Other' is in Edit Mode" in paper.texts
    bpy.ops.object.mode_set(mode="OBJECT")
    one.shape_key_add(name="Basis")
    one.data.shape_keys.use_relative = False
    paper = draw()
    assert paper.are_live(keep, object_name="One") == [False] and "'One' has absolute shape keys" in paper.texts
    named = {name: tooltip(bpy.context, SimpleNamespace(job=job, object_name=name)) for name in ("One", "Other")}
    assert "Switch on 'Relative'" in named["One"] and named["Other"].startswith("Keep the result as one shape key")


def test_the_check_shows_device_and_memory_also_of_a_remote_backend(addon, installation):
    states, check = addon("installation.state"), addon("installation.check")
    subjects = ("motion324", "numpy", "memory", "memory, GPU", "torch", "torch's device", "attention", "jobs")
    findings = tuple(check.Finding(subject, check.FINE, f"<{subject}>") for subject in subjects)
    installation.state = states.InstallationState(report=check.Report(findings))
    installation._looked_at = float("inf")  # so that the disk is not looked at
    paper = Paper()
    addon("installation.drawing").draw_backend(paper, context_now(), "REMOTE", from_variable=False)
    installation._looked_at = float("-inf")
    shown = {subject for subject in subjects if f"<{subject}>" in paper.texts}
    assert shown == {"motion324", "memory", "memory, GPU", "torch", "torch's device"}


def test_installing_again_is_grey_without_online_access(addon, installation):
    states, system = addon("installation.state"), bpy.context.preferences.system
    installation._looked_at = float("inf")  # so that the disk is not looked at
    installation.state = states.InstallationState(states.Condition.READY)
    before = system.use_online_access
    for allowed in (True, False):
        system.use_online_access = allowed
        paper = Paper()
        addon("installation.drawing").draw_backend(paper, context_now(), "INSTALLED", from_variable=False)
        assert paper.are_live("motion324.install_backend") == [allowed]
        assert ("Blender may not go online, which installing again needs" in paper.texts) != allowed
    system.use_online_access = before
    installation._looked_at = float("-inf")


def test_a_bar_is_the_first_that_its_panel_draws_and_has_a_place_while_there_is_none(
    addon, backend, state, show_jobs, installation
):
    """Else Blender paints it over the widget that has become the one with its number, see text_lines.draw_bar."""
    ball()
    bpy.context.scene.motion324.video = str(SHIBA)
    problem = state.Problem("no-foreground", "The video shows nothing.", "Choose another.")
    examiners = (addon("examining.looks").mask_look, addon("examining.looks").view_look)
    examiners += (addon("examining.new_mesh").mesh_look,)
    words = addon("installation.state")
    counting = {"task": words.Task.INSTALL, "stage": words.Stage.DOWNLOAD, "done": 3, "total": 10}
    counted = words.InstallationState(words.Condition.MISSING, unit=words.BYTES, **counting)
    bars: dict[str, list[list[str]]] = {}

    def look() -> None:
        context = context_now()
        panels = {panel.bl_idname: panel.draw for panel in addon("panels").CLASSES}
        panels["preferences"] = lambda panel, context: addon("installation.drawing").draw_backend(
            panel.layout, context, "INSTALLED", from_variable=False
        )
        for name, draw in panels.items():
            paper = Paper()
            draw(SimpleNamespace(layout=paper), context)
            bare = [what for what, _ in paper.drawn if what in ("progress", "label", "template_icon", "box")]
            bars.setdefault(name, []).append(bare)

    installation._looked_at = float("inf")  # so that the disk is not looked at
    for phase in state.Phase:
        show_jobs(phase=phase, stage="reconstruct", done=5, total=9, problem=problem)
        look()
    for looking in ({}, {"running": True, "stage": "view", "done": 1, "total": 2}, {"problem": problem}):
        for examiner in examiners:
            examiner.look = dataclasses.replace(type(examiner.look)(), **looking)
        look()
    for phase in words.Phase:
        for shown in (counted, dataclasses.replace(counted, total=0)):
            installation.state = dataclasses.replace(shown, phase=phase, problem=problem)
            look()
    installation._looked_at = float("-inf")
    for examiner in examiners:
        examiner.stop()
    have_bars = {name for name, drawn in bars.items() if any("progress" in bare for bare in drawn)}
    assert have_bars == {f"MOTION324_PT_{name}" for name in ("set_up", "cut_out", "camera", "animate")} | {
        "preferences"
    }
    for name in have_bars:
        for bare in bars[name]:
            assert bare.count("progress") == 1 and bare[0] == "progress", name


def test_every_phase_of_a_job_is_drawn(addon, backend, draw, state, show_jobs):
    ball()
    problem = state.Problem("backend-lost", "The backend ended.", "Why.\n2026-01-01 10:00:00 INFO last words", "/log")
    shown = {
        "STARTING": "Fox",
        "QUEUED": "Behind 2 other jobs of the engine",
        "RUNNING": "5 frames can be played",
        "FAILED": "Fox was not animated",
        "LOST": "last words",
        "CANCELLED": "Another file",
    }
    for phase, text in shown.items():
        show_jobs(
            phase=state.Phase[phase],
            ahead=2,
            stage="reconstruct",
            done=5,
            total=9,
            remaining=3.0,
            frames_ready=5,
            problem=problem if phase in ("FAILED", "LOST") else None,
            notice="Another file was opened" if phase == "CANCELLED" else "",
        )
        paper = draw()
        assert text in paper.texts, phase
        assert paper.texts.count("was not animated") <= 1, "told once"
        busy = phase in ("STARTING", "QUEUED", "RUNNING")
        assert paper.are_live("motion324.cancel") == [busy]  # grey where it was
        assert paper.has("operator", "motion324.restart") == (phase in ("FAILED", "LOST"))


def test_a_poor_match_is_told_while_the_job_runs(addon, backend, draw, state, show_jobs):
    ball()
    for match, told in ((0.59, True), (0.9, False), (None, False)):
        show_jobs(phase=state.Phase.RUNNING, stage="reconstruct", done=5, total=9, match=match)
        assert ("Match 59 % (poor): does the video show this mesh?" in draw().texts) == told


def test_the_queue_has_a_button_for_each_job(addon, backend, draw, state):
    ball()
    records = addon("job.runner").runner._records
    running = state.JobState(state.Phase.RUNNING, 1, "Fox", "fox.mp4", (1,))
    waiting = [dataclasses.replace(running, phase=state.Phase.WAITING, number=n, objects=(n,)) for n in (2, 3)]
    records.jobs = state.Jobs((running, *waiting), 3)
    try:
        assert draw().drawn.count(("operator", "motion324.unqueue")) == 2
    finally:
        records.jobs = state.Jobs()


def test_results_that_wait_have_buttons_of_their_own_until_they_are_kept(addon, backend, draw, video):
    one, other = ball("One"), ball("Other")
    one.select_set(True)
    bpy.ops.motion324.animate(video=str(video(frames=3, warning="Use --mask auto.")))
    third = ball("Third")
    bpy.ops.motion324.animate(video=str(video(frames=3)), only_active=True)

    def buttons(name: str) -> int:
        return draw().drawn.count(("operator", f"motion324.{name}"))

    assert buttons("keep_shape_keys") == buttons("keep_point_cache") == buttons("discard") == 2
    bpy.context.view_layer.objects.active = other
    assert buttons("keep_shape_keys") == 1 + 2 + 1  # all, one by one, and the third
    assert "Use Cut-out > Method > Automatic." in draw().texts
    bpy.ops.motion324.keep_shape_keys(object_name="One")
    assert buttons("keep_shape_keys") == 1 + 1
    bpy.ops.motion324.keep_shape_keys()
    bpy.context.view_layer.objects.active = third
    bpy.ops.motion324.keep_shape_keys()
    paper = draw()
    assert paper.are_live("motion324.remove_animation") == [True] and paper.are_live("motion324.discard") == [False]


def test_the_own_pose_is_offered_where_the_result_begins_with_another(addon, backend, draw, video):
    ball()
    bpy.ops.motion324.animate(video=str(video(frames=3)))
    assert not draw().has("prop", "own_pose_before")
    bpy.ops.motion324.animate(video=str(video(frames=3, pose="drawn")))
    assert draw().has("prop", "own_pose_before")


def test_quick_looks_are_drawn_with_what_they_found(addon, backend, draw, video):
    ball()
    looks = addon("examining.looks")
    bpy.context.scene.motion324.video = str(video())
    bpy.ops.motion324.preview_mask()
    bpy.ops.motion324.find_view()
    paper = draw()
    assert "One-Colour Background" in paper.texts and "30° around" in paper.texts
    for wish in ("fail", "wait"):
        bpy.context.scene.motion324.video = str(video(do=wish))
        if wish == "fail":
            with pytest.raises(RuntimeError):
                bpy.ops.motion324.preview_mask()
            assert "shows nothing" in draw().texts
    looks.forget()
