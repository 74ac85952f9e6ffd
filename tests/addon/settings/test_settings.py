"""What the settings say of a job: the view from cameras and viewports, the outcome, what is missing, the video."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import pytest
from addon.shapes import SHIBA, ball, camera_at
from mathutils import Euler, Vector

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def settings(addon):
    return bpy.context.scene.motion324


@pytest.mark.parametrize("angles", [(0, 0), (90, 0), (-135, 20), (30, -40), (179, 75)])
@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_the_view_from_the_camera_is_its_angles_around_the_object(addon, settings, angles, kind):
    obj = ball()
    obj.location = (3, -2, 1)
    camera_at(*angles, centre=obj.location).data.type = kind
    settings.view = "camera"
    text = addon("settings.properties").options_of(settings).view
    assert [float(part) for part in text.split(",")] == pytest.approx(angles, abs=0.01)


def test_the_camera_counts_by_where_it_is_not_by_where_it_looks(addon, settings):
    ball()
    camera = camera_at(90, 0)
    camera.rotation_euler = Euler((math.radians(80), 0, math.radians(75)))
    bpy.context.view_layer.update()
    settings.view = "camera"
    azimuth, elevation = map(float, addon("settings.properties").options_of(settings).view.split(","))
    assert (azimuth, elevation) == (pytest.approx(90, abs=0.1), pytest.approx(0, abs=0.1))


def test_the_front_view_and_the_angles_agree_with_blenders_own_front(addon):
    to_angles = addon("scene.showing.view_angles").angles_of
    assert to_angles(Vector((0, -5, 0)), Vector()) == pytest.approx((0, 0))
    assert to_angles(Vector((5, 0, 0)), Vector()) == pytest.approx((90, 0))
    assert to_angles(Vector((0, 0, 0)), Vector((0, 0, 1))) == pytest.approx((0, 90))


def test_taking_the_view_sets_the_angles_and_can_be_called_from_python(addon, settings):
    ball()
    camera_at(40, 25)
    assert bpy.ops.motion324.take_view(source="CAMERA") == {"FINISHED"}
    assert settings.view == "angles"
    assert (settings.azimuth, settings.elevation) == (pytest.approx(40, abs=0.01), pytest.approx(25, abs=0.01))
    bpy.context.scene.camera = None
    with pytest.raises(RuntimeError, match=r"no active camera\. Add one"):
        bpy.ops.motion324.take_view(source="CAMERA")


def test_a_view_from_nothing_is_refused_with_the_remedy(addon, settings):
    ball()
    from motion324.core.errors import Motion324Error

    settings.view = "camera"
    with pytest.raises(Motion324Error, match="no active camera"):
        addon("settings.properties").options_of(settings)
    settings.mask, settings.view = "file", "auto"
    with pytest.raises(Motion324Error, match="No masks have been chosen"):
        addon("settings.properties").options_of(settings)


def test_the_panels_settings_become_the_jobs_options(addon, settings):
    settings.timing, settings.custom_fps = "CUSTOM_FPS", 12
    settings.mask, settings.reconstructor = "as-is", "motion-transformer"
    settings.device, settings.precision, settings.seed = "cpu", "float32", 3
    settings.quality = "fine"
    options = addon("settings.properties").options_of(settings)
    assert (options.fps, options.quality) == (12, "fine")
    assert (options.fps, options.mask, options.reconstructor) == (12, "as-is", "motion-transformer")
    assert (options.device, options.precision, options.seed) == ("cpu", "float32", 3)


@pytest.mark.parametrize("method", ["auto", "node-model", "deformation-fit"])
def test_where_the_motion_transformer_computes_is_of_no_other_method_which_does_not_show_it(addon, settings, method):
    settings.reconstructor, settings.device, settings.precision = "motion-transformer", "cuda", "float16"
    settings.reconstructor = method
    properties = addon("settings.properties")
    options = properties.options_of(properties.shown_of(settings))
    assert (options.device, options.precision) == ("auto", "auto")
    settings.reconstructor = "motion-transformer"
    options = properties.options_of(properties.shown_of(settings))
    assert (options.device, options.precision) == ("cuda", "float16")


def test_a_hidden_device_does_not_reach_the_job_unless_it_is_an_argument(addon, backend, settings, video):
    ball()
    settings.video, settings.device, settings.precision = str(video(frames=2)), "cuda", "float16"
    runner = addon("job.runner").runner
    for call, given, told in (
        ("INVOKE_DEFAULT", {}, "auto"),
        ("EXEC_DEFAULT", {}, "auto"),
        ("EXEC_DEFAULT", {"device": "cpu"}, "cpu"),
    ):
        bpy.ops.motion324.animate(call, **given)
        options = runner.animation.report["options"]
        assert (options["device"], options["precision"]) == (told, "auto")
    runner.forget_all()
    bpy.ops.motion324.new_mesh("INVOKE_DEFAULT", animate=True)
    assert runner.animation.report["options"]["device"] == "auto"


def test_every_setting_of_the_panel_is_an_argument_of_animate(addon, settings):
    arguments = set(bpy.ops.motion324.animate.get_rna_type().properties.keys())
    assert set(addon("settings.properties").JobProperties.__annotations__) <= arguments


@pytest.mark.parametrize(
    ("timing", "told"),
    [
        ("KEEP_FRAMES", (12, 11, 22, 0.5)),
        ("KEEP_DURATION", (12, 11, 46, 1.6)),
        ("CUSTOM_FPS", (12, 11, 33, 1.0)),
    ],
)
def test_the_outcome_says_frames_place_and_seconds(addon, settings, timing, told):
    facts = addon("settings.source_video").VideoFacts(frames=29, fps=15, size=(512, 512))
    settings.first_frame, settings.frame_step, settings.start_frame = 5, 2, 11
    settings.timing, settings.custom_fps = timing, 12
    bpy.context.scene.render.fps = 24
    outcome = addon("ui.readiness").outcome_of(settings, facts, bpy.context.scene)
    assert (outcome.frames, outcome.first, outcome.last, round(outcome.seconds, 1)) == told


def test_fewer_frames_per_second_are_used_where_that_is_wanted_and_never_more(addon, settings):
    facts = addon("settings.source_video").VideoFacts(frames=60, fps=30.0, size=(64, 48))
    bpy.context.scene.render.fps = 24
    settings.timing, settings.frame_step, settings.video_fps = "KEEP_DURATION", 2, 5
    outcome = addon("ui.readiness").outcome_of(settings, facts, bpy.context.scene)
    assert (outcome.frames, outcome.first) == (10, 1) and outcome.seconds == pytest.approx(2)
    assert addon("settings.properties").options_of(settings).video_fps == 5
    settings.video_fps = 50
    assert addon("ui.readiness").outcome_of(settings, facts, bpy.context.scene).frames == 30
    settings.video_fps = 0
    assert addon("settings.properties").options_of(settings).video_fps is None


def test_the_video_is_read_once_and_off_the_panels_drawing(addon, tmp_path, monkeypatch):
    source_video = addon("settings.source_video")
    source_video.forget()
    monkeypatch.setattr(source_video, "is_background", lambda: False)
    assert source_video.facts_of(str(SHIBA)) is None
    source_video._look()
    facts = source_video.facts_of(str(SHIBA))
    assert (facts.frames, facts.fps, facts.size, facts.thumbnail) == (29, 15, (512, 512), str(SHIBA))
    assert not bpy.data.movieclips
    (tmp_path / "no video.mp4").write_bytes(b"not a video")
    unknown = source_video.read_facts(tmp_path / "no video.mp4")
    assert "Blender cannot read 'no video.mp4'" in unknown.note and not unknown.problem
    assert "no file" in source_video.read_facts(tmp_path / "lost.mp4").problem
    source_video.forget()


def test_a_folder_of_pictures_shows_its_first_in_natural_order(addon, tmp_path):
    for name in ("frame_10.png", "frame_9.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    facts = addon("settings.source_video").read_facts(tmp_path)
    assert (facts.frames, facts.fps, Path(facts.thumbnail).name) == (2, 24, "frame_9.png")
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in addon("settings.source_video").read_facts(tmp_path / "empty").problem


def test_animate_is_grey_for_a_reason_that_says_what_to_do(addon, settings):
    source_video, reason = addon("settings.source_video"), addon("ui.readiness").reason_against
    assert reason(bpy.context) == "Select a mesh object"
    obj = ball()
    assert reason(bpy.context) == "Choose a video"
    settings.video = str(SHIBA)
    assert reason(bpy.context) == ""
    settings.first_frame = 28
    assert reason(bpy.context) == "1 frame in that range; at least 2 are needed"
    settings.first_frame, settings.view = 0, "camera"
    assert reason(bpy.context) == "The scene has no active camera to take the view from"
    settings.view, settings.mask = "auto", "file"
    assert reason(bpy.context) == "Choose the masks"
    settings.mask = "auto"
    assert reason(bpy.context) == ""
    bpy.ops.object.mode_set(mode="EDIT")
    assert reason(bpy.context) == "Leave Edit Mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    source_video.forget()
    assert obj is not None


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (
            "The option mask cannot be alpha: 'a.mp4' has none.",
            "Cut-out > Method cannot be Transparency: 'a.mp4' has none.",
        ),
        ("Use --mask auto or give masks.", "Use Cut-out > Method > Automatic or give masks."),
        (
            "Give your own with --mask FOLDER, or none.",
            "Give your own with Cut-out > Method > Mask Sequence, or none.",
        ),
        ("Give the view (--view AZIMUTH,ELEVATION).", "Give the view (Camera > Camera Angle > Angles)."),
        ("Use --device cpu, or less.", "Use Quality > Device > CPU, or less."),
        ("Use --mask rembg:isnet.", "Use Cut-out > Method rembg:isnet."),
        ("The option smooth is -1.", "Quality > Smoothing is -1."),
        ("Choose --window 64.", "Choose --window 64."),
        (
            "The option mesh-provider is hunyuan3d-server, but no address is given; name it with --hunyuan-server.",
            "New Mesh > Made by is hunyuan3d-server, but no address is given; name it with New Mesh > Address.",
        ),
        ("Needs --no-mesh-texture.", "Needs New Mesh > Paint, switched off."),
        ("Use fewer frames per second (--video-fps).", "Use fewer frames per second (Frames and Timing > Per Second)."),
        ("The backend of backend-lost ended.", "The engine of backend-lost ended."),
        ("A backend is no backend of mine.", "An engine is no engine of mine."),
    ],
)
def test_the_backends_advice_is_told_in_the_panels_words(addon, told, read):
    assert addon("ui.choices").in_panel_words(told) == read


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("The video '/home/artist/blender/fox 2.mp4' shows nothing.", "The video 'fox 2.mp4' shows nothing."),
        (r"The video 'C:\videos\fox.mp4' shows nothing.", "The video 'fox.mp4' shows nothing."),
        ("'fox.mp4' is no 'video/mp4', see '/a/b.log'.", "'fox.mp4' is no 'video/mp4', see 'b.log'."),
        ("There is nothing in '/a/b/'.", "There is nothing in '/a/b/'."),
    ],
)
def test_paths_are_told_by_their_names_in_the_narrow_panel(addon, told, read):
    assert addon("ui.choices").with_names_only(told) == read
