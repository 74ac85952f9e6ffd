"""Operators with a file dialog: what Blender's file browser takes for its own, and what they may not overwrite."""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace

import bpy
import pytest
from addon.paper_layout import Paper
from addon.rigs import tentacle
from addon.shapes import ball

# What the file browser reads from and writes to the operator that opened it, by name alone, and of which type it takes
# that to be (Blender's source: file_operator_to_sfile and fileselect_initialize_params_ex). Another type is undefined
# behaviour: an enum named `files` ends Blender.
BROWSERS_OWN = {
    "filepath": "STRING",
    "directory": "STRING",
    "filename": "STRING",
    "files": "COLLECTION",
    "dirs": "COLLECTION",
    "filemode": "INT",
    "filter_glob": "STRING",
    "check_existing": "BOOLEAN",
    "relative_path": "BOOLEAN",
    "display_type": "ENUM",
    "sort_method": "ENUM",
}
BROWSERS_ELEMENTS = {"files": "OperatorFileListElement", "dirs": "OperatorFileListElement"}


def misused(operator: bpy.types.Struct) -> list[str]:
    """The operator's properties that the file browser would take for something else than they are."""
    wrong = []
    for prop in operator.properties:
        expected = BROWSERS_OWN.get(prop.identifier)
        element = BROWSERS_ELEMENTS.get(prop.identifier)
        if prop.identifier.startswith("filter_") and expected is None:
            expected = "BOOLEAN"
        if (expected and prop.type != expected) or (element and prop.fixed_type.identifier != element):
            wrong.append(prop.identifier)
    return wrong


def opens_a_file_dialog(cls: type) -> bool:
    return any("fileselect_add" in inspect.getsource(base) for base in cls.__mro__ if hasattr(base, "invoke"))


def test_no_operator_has_a_property_that_the_file_browser_takes_for_its_own(installed):
    classes = importlib.import_module(f"{installed}.operators").CLASSES
    classes = [cls for cls in classes if issubclass(cls, bpy.types.Operator)]
    dialogs = {cls.bl_idname.partition(".")[2] for cls in classes if opens_a_file_dialog(cls)}
    assert dialogs >= {"pick_video", "install_from_folder", "export", "turntable"}
    for cls in classes:  # of those without a dialog as well: they may get one
        operator = getattr(bpy.ops.motion324, cls.bl_idname.partition(".")[2]).get_rna_type()
        assert misused(operator) == [], cls.bl_idname


@pytest.mark.parametrize("name", ["filepath", "directory", "filename", "files", "filemode"])
def test_such_a_property_would_be_noticed(name):
    class MOTION324_OT_probe(bpy.types.Operator):
        bl_idname = "motion324.probe"
        bl_label = "Probe"
        __annotations__ = {name: bpy.props.EnumProperty(items=(("A", "A", "A"),))}

    bpy.utils.register_class(MOTION324_OT_probe)
    try:
        assert misused(bpy.ops.motion324.probe.get_rna_type()) == [name]
    finally:
        bpy.utils.unregister_class(MOTION324_OT_probe)


@pytest.fixture
def scene(addon, tmp_path):
    """A ball that is named after its video, shiba.mp4, beside the .blend, as a new mesh from a video is; its folder."""
    obj = ball("shiba")
    obj["motion324_frames"] = [1, 2]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for name in ("shiba.mp4", "masks.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    settings = bpy.context.scene.motion324
    settings.video, settings.mask_path = "//shiba.mp4", str(tmp_path / "masks.mp4")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("turntable", "shiba_turntable.mp4"),
        *(("export", f"shiba_animated{suffix}") for suffix in (".fbx", ".glb", ".abc", ".usd", ".pc2", ".mdd")),
    ],
)
def test_the_proposed_name_is_the_objects_with_what_it_is(addon, scene, monkeypatch, name, ending):
    module = addon({"turntable": "operators.showing", "export": "operators.exporting"}[name])
    proposed = []

    class Browser(SimpleNamespace):
        """The operator while its file browser opens; `left`: what was given, or is left of the last use."""

        def _look(self, context):
            pass

    def invoke(left, is_given):
        properties = SimpleNamespace(is_property_set=lambda name: is_given)
        browser = Browser(filepath=left, properties=properties, format=ending[-4:], filename_ext=".mp4")
        monkeypatch.setattr(module.ExportHelper, "invoke", lambda self, context, event: proposed.append(self.filepath))
        getattr(module, f"MOTION324_OT_{name}").invoke(browser, bpy.context, None)

    invoke("", False)
    invoke("/renders/cat_turntable.mp4", False)
    invoke("/renders/mine.mp4", True)
    assert proposed == [ending, f"/renders/{ending}", "/renders/mine.mp4"]


def test_an_export_or_a_turntable_over_an_input_of_the_scene_is_refused(scene, monkeypatch):
    folder = scene
    (folder / "link.mp4").symlink_to(folder / "shiba.mp4")
    (folder / "cache.pc2").write_bytes(b"POINTCACHE2")
    bpy.context.object.modifiers.new("Cloth", "MESH_CACHE").filepath = "//cache.pc2"
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    turntable, export = bpy.ops.motion324.turntable, bpy.ops.motion324.export
    for operator, name, kind in (
        (turntable, "shiba.mp4", "video"),
        (turntable, "link.mp4", "video"),
        (turntable, "masks.mp4", "masks"),
        (export, "cache.pc2", "file of this scene"),
    ):
        for path in (folder / name, folder / ".." / folder.name / name, name):
            with pytest.raises(RuntimeError, match=rf"{name}' would overwrite the {kind} '.*'\. Choose another name"):
                operator(filepath=str(path))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_pictures_do_not_come_among_those_of_the_video_and_the_blend_stays(scene):
    shots = scene / "shots"
    shots.mkdir()
    (shots / "0001.png").write_bytes(b"a frame")
    bpy.context.scene.motion324.video = str(shots)
    with pytest.raises(RuntimeError, match=r"would overwrite the video '.*shots'"):
        bpy.ops.motion324.turntable(filepath=str(shots), file_format="PNG", size=16)
    assert [path.name for path in shots.iterdir()] == ["0001.png"]
    (scene / "link.fbx").symlink_to(scene / "scene.blend")
    blend = (scene / "scene.blend").read_bytes()
    with pytest.raises(RuntimeError, match=r"would overwrite the \.blend with the mesh"):
        bpy.ops.motion324.export(filepath=str(scene / "link.fbx"))
    assert (scene / "scene.blend").read_bytes() == blend


def test_the_video_of_a_result_and_of_a_kept_animation_stays_as_well(backend, scene, video):
    wish = video(frames=2)
    bpy.ops.motion324.animate(video=str(wish))
    bpy.context.scene.motion324.video = ""
    link = scene / "link.fbx"
    link.symlink_to(wish)
    for keep in (lambda: None, bpy.ops.motion324.keep_shape_keys):
        keep()
        with pytest.raises(RuntimeError, match=r"would overwrite the video '.*\.json'"):
            bpy.ops.motion324.export(filepath=str(link))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("export", "//ball.glb"),
        ("turntable", "//ball.mp4"),
        ("export_rig", "//ball.glb"),
        ("export_vertex_textures", "//ball.json"),
    ],
)
def test_a_name_beside_a_file_that_was_never_saved_is_told_and_nothing_is_written(
    addon, tmp_path, monkeypatch, name, path
):
    bpy.ops.wm.read_homefile(use_empty=True)
    obj = tentacle() if name == "export_rig" else ball("ball")
    obj["motion324_frames"] = [1, 2]
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=f"'{path}' is to lie beside the .blend, which has not been saved yet"):
        getattr(bpy.ops.motion324, name)(filepath=path)
    assert not list(tmp_path.iterdir())


def drawn(addon, name, **chosen):
    """What the dialog of an operator of exporting shows, with these settings besides the usual ones."""
    cls = getattr(addon("operators.exporting"), f"MOTION324_OT_{name}")
    rna = getattr(bpy.ops.motion324, name).get_rna_type()
    usual = {each.identifier: each.default for each in rna.properties if hasattr(each, "default")}

    class Dialog(SimpleNamespace):
        pass

    for each in ("_about", "_path", "_options"):
        if hasattr(cls, each):
            setattr(Dialog, each, getattr(cls, each))
    paper, now = Paper(), bpy.context
    context = SimpleNamespace(object=now.object, preferences=now.preferences, region=SimpleNamespace(width=2000))
    cls.draw(Dialog(**{**usual, **chosen}, layout=paper, bl_rna=rna), context)
    return paper


def test_the_dialog_of_rigs_says_what_the_engine_gets(addon):
    bpy.context.view_layer.objects.active = tentacle()
    paper = drawn(addon, "export_rig", engine="unreal")
    assert "FBX in centimetres" in paper.texts
    assert {what for function, what in paper.drawn if function == "prop"} >= {
        "engine",
        "loop",
        "root_motion",
        "resample",
    }
    assert "GLB with skin and animation" in drawn(addon, "export_rig", engine="godot").texts


def test_a_number_that_is_nought_for_all_says_so_in_words(addon):
    bpy.context.view_layer.objects.active = tentacle()
    words = drawn(addon, "export_rig", at_scene_rate=True, any_loop=True)
    assert words.has("prop", "at_scene_rate") and not words.has("prop", "resample")
    assert words.has("prop", "any_loop") and not words.has("prop", "loop_at_least")
    bpy.context.scene.render.fps = 30
    given = bpy.context.window_manager.operator_properties_last("motion324.turntable")
    assert given.whole_animation and given.at_scene_rate
    given.whole_animation = given.at_scene_rate = False
    assert (given.seconds, given.fps) == (4, 30)
    given.whole_animation = given.at_scene_rate = True
    assert (given.seconds, given.fps) == (0, 0)


def test_the_dialog_of_vertex_textures_names_the_files_and_says_what_does_not_fit(addon):
    ball()
    bpy.context.scene.frame_end = 30
    paper = drawn(addon, "export_vertex_textures", filepath="/out/ball.json", pictures="png")
    assert "ball_position.png" in paper.texts and "ball.glb" in paper.texts and "of pictures" in paper.texts
    bpy.context.scene.frame_end = 3000
    assert "Use at most" in drawn(addon, "export_vertex_textures", filepath="/out/ball.json", longest_side=64).texts


def test_the_names_of_what_goes_to_engines_are_proposed_and_kept_in_step(addon, monkeypatch):
    module = addon("operators.exporting")
    monkeypatch.setattr(module.ExportHelper, "invoke", lambda self, context, event: None)
    bpy.context.view_layer.objects.active = tentacle()
    given = SimpleNamespace(is_property_set=lambda name: False)
    rig = SimpleNamespace(filepath="/renders/cat.mp4", properties=given, engine="unity")
    rig._path = lambda: module.MOTION324_OT_export_rig._path(rig)
    module.MOTION324_OT_export_rig.invoke(rig, bpy.context, None)
    assert rig.filepath == "/renders/Tentacle_rig.fbx"
    rig.engine = "godot"
    assert module.MOTION324_OT_export_rig.check(rig, bpy.context) and rig.filepath == "/renders/Tentacle_rig.glb"
    textures = SimpleNamespace(filepath="", properties=given)
    module.MOTION324_OT_export_vertex_textures.invoke(textures, bpy.context, None)
    assert textures.filepath == "Tentacle_vat.json"
