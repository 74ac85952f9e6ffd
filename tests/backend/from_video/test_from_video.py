"""From a video alone to an animated mesh: the products, and what is done again when."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_reconstructor import STEP
from from_video_harness import run, without_reconstruction

from motion324.cli.main import main
from motion324.core.errors import (
    EXIT_CANCELLED,
    EXIT_CANNOT_WRITE,
    EXIT_INTERNAL,
    EXIT_OK,
    EXIT_USAGE,
    Cancelled,
    Motion324Error,
)
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.progress import silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.from_video import chain
from motion324.from_video.pictures import write_pictures
from motion324.from_video.stages import StageFolder
from motion324.mesh.files.gltf_container import GltfFile
from motion324.mesh.files.gltf_writing import split_by_uv, write_glb
from motion324.mesh.files.reading import read_mesh
from motion324.video.decoding import read_video

STAGES = ["frames", "masks", "crops", "mesh", "animation", "export", "page"]


@pytest.fixture
def reconstructor(monkeypatch):
    return without_reconstruction(monkeypatch)


def test_clip_and_masks_are_shown_as_they_were_used_where_the_cameras_motion_was_taken_off(sliding_square):
    masks = np.ones(sliding_square.frames.shape[:3], np.float32)
    assert chain._as_used(sliding_square, masks, None, silent) == (sliding_square, masks)
    panned = np.repeat(np.eye(3)[None], len(masks), axis=0)
    panned[:, 0, 2] = np.arange(len(masks)) / sliding_square.frames.shape[1]  # by a pixel a frame
    seen, used = chain._as_used(sliding_square, masks, panned, silent)
    np.testing.assert_array_equal(seen.frames[5][:, 5:], sliding_square.frames[5][:, :-5])
    assert used[5, :, 5:].all() and not used[5, :, :5].any()


@pytest.fixture
def video(tmp_path, sliding_square):
    write_pictures(tmp_path / "slide", sliding_square.frames[:6], "read", silent)
    return tmp_path / "slide"


def test_the_whole_way_leaves_all_products(video, tmp_path, capsys, reconstructor):
    out = tmp_path / "out"
    summary = run(video, out, capsys)
    assert summary["stages_done"] == STAGES and summary["frames"] == 6
    products = {product.name for product in out.iterdir()}
    assert products == {
        *("frames", "masks", "crops", "stages", "mesh.glb", "trajectory.npz", "animation.pc2", "report.json"),
        *("overlay.mp4", "animated.glb", "preview.webm", "index.html"),
    }
    assert all(len(list((out / name).iterdir())) == 6 for name in ("frames", "masks", "crops"))
    (scene,) = reconstructor.scenes
    assert np.allclose(scene.view.rotation, np.diag([1, -1, -1]))  # the mesh's front is the video's first view
    trajectory, mesh = load_trajectory(out / "trajectory.npz"), read_mesh(out / "mesh.glb")
    assert np.array_equal(trajectory.positions[0], mesh.positions) and np.array_equal(trajectory.faces, mesh.faces)
    assert json.loads((out / "report.json").read_text())["silhouette_overlap"] >= 0.97
    moved = read_mesh(out / "animated.glb")
    assert np.allclose(moved.positions, mesh.positions, atol=1e-6)
    gltf = GltfFile(out / "animated.glb")
    targets = gltf.header["meshes"][0]["primitives"][0]["targets"]
    for index, target in enumerate(targets, 1):
        assert np.allclose(gltf.accessor(target["POSITION"])[:, 0], STEP * index, atol=1e-4)
    page = (out / "index.html").read_text()
    assert "http" not in page.replace("http-equiv", "")  # nothing is fetched
    assert page.count("data:image/jpeg") >= 8 and "data:video/webm" in page


def test_a_second_run_does_nothing_and_a_changed_option_only_what_depends_on_it(video, tmp_path, capsys, reconstructor):
    out = tmp_path / "out"
    run(video, out, capsys)
    assert run(video, out, capsys)["stages_done"] == []
    assert run(video, out, capsys, "--smooth", "1")["stages_done"] == ["animation", "export", "page"]
    (out / "mesh.glb").unlink()
    assert "mesh" in run(video, out, capsys, "--smooth", "1")["stages_done"]
    assert run(video, out, capsys, "--smooth", "1", "--again")["stages_done"] == STAGES
    given = tmp_path / "given.glb"
    given.write_bytes((out / "mesh.glb").read_bytes())
    summary = run(video, out, capsys, "--mesh-provider", "file", "--mesh-file", str(given), "--view", "front")
    assert summary["stages_kept"] == ["frames", "masks", "crops"]


def test_warnings_of_a_given_mesh_reach_the_summary_and_the_page(video, tmp_path, capsys, reconstructor):
    given = tmp_path / "given.obj"
    given.write_text("mtllib lost.mtl\nusemtl fur\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\n")
    out = tmp_path / "out"
    for _ in range(2):  # also where the stage was kept
        summary = run(video, out, capsys, "--mesh-provider", "file", "--mesh-file", str(given), "--view", "front")
        assert any("lost.mtl" in warning["sentence"] for warning in summary["warnings"])
    assert "lost.mtl" in (out / "index.html").read_text("utf-8")


def test_a_run_that_was_stopped_goes_on_where_it_was(video, tmp_path, capsys, reconstructor, monkeypatch):
    out = tmp_path / "out"

    def stop(scene, progress):
        raise Cancelled

    with monkeypatch.context() as stopped:
        stopped.setattr(reconstructor, "reconstruct", stop)
        assert main(["from-video", str(video), "-o", str(out), "--smooth", "0"]) == EXIT_CANCELLED
    capsys.readouterr()
    assert {product.name for product in out.iterdir()} == {"frames", "masks", "crops", "mesh.glb", "stages"}
    assert run(video, out, capsys)["stages_kept"] == ["frames", "masks", "crops", "mesh"]


@pytest.mark.parametrize("name", ["frames", "masks"])
def test_damaged_pictures_are_made_again(video, tmp_path, capsys, reconstructor, name):
    out = tmp_path / "out"
    run(video, out, capsys)
    picture = out / name / "frame_0003.png"
    sound = picture.read_bytes()
    picture.write_bytes(bytes(len(sound)))
    assert run(video, out, capsys)["stages_done"] == [name]
    assert picture.read_bytes() == sound


BY_BLENDER = {"write_fbx": "animated.fbx", "write_turntable": "turntable.mp4"}


def with_stand_ins_of_blender(monkeypatch, failing=()):
    """Its products are text; a writer of BY_BLENDER that is `failing` raises the error of that code."""

    def writer(name):
        def write(path, *given):
            if name in failing:
                raise Motion324Error(failing[name], "It is broken.", "Mend it.")
            path.write_text(name)

        return write

    monkeypatch.setattr(chain, "find_blender", lambda preferred=None: Path("blender"))
    monkeypatch.setattr(chain, "as_webm", lambda *given: False)
    for name in BY_BLENDER:
        monkeypatch.setattr(chain, name, writer(name))


@pytest.mark.parametrize(("writer", "code"), [("write_fbx", "export-failed"), ("write_turntable", "render-failed")])
def test_what_blender_cannot_make_is_warned_of_and_an_earlier_one_goes(
    video, tmp_path, capsys, reconstructor, monkeypatch, writer, code
):
    out, product = tmp_path / "out", BY_BLENDER[writer]
    with_stand_ins_of_blender(monkeypatch)
    assert run(video, out, capsys)["stages_done"] == [*STAGES[:-1], "fbx", "turntable", "page"]
    assert product in (out / "index.html").read_text()
    with_stand_ins_of_blender(monkeypatch, failing={writer: code})
    assert main(["from-video", str(video), "-o", str(out), "--smooth", "1"]) == EXIT_OK
    assert f"warning: There is no {product}: It is broken. Mend it." in capsys.readouterr().err
    (other,) = set(BY_BLENDER.values()) - {product}
    assert (out / other).exists() and (out / "animated.glb").exists() and not (out / product).exists()
    page = (out / "index.html").read_text()
    assert product not in page and other in page
    with_stand_ins_of_blender(monkeypatch)
    redone = {"write_fbx": "fbx", "write_turntable": "turntable"}[writer]
    assert run(video, out, capsys, "--smooth", "1")["stages_done"] == [redone, "page"]


def test_blender_makes_fbx_and_turntable(video, tmp_path, capsys, reconstructor, monkeypatch, blender):
    monkeypatch.setattr(chain, "find_blender", lambda preferred=None: blender)
    out = tmp_path / "out"
    assert run(video, out, capsys)["stages_done"] == [*STAGES[:-1], "fbx", "turntable", "page"]
    assert (out / "animated.fbx").read_bytes().startswith(b"Kaydara FBX Binary")
    film = read_video(out / "turntable.mp4")
    assert film.frames.shape == (6, 512, 512, 3) and (film.frames[:, 256, 256] < 250).any(axis=1).all()
    page = (out / "index.html").read_text()
    assert "animated.fbx" in page and "turntable.webm" in page and page.count("data:video/webm") == 2


def test_without_blender_what_it_made_of_the_same_animation_stays(video, tmp_path, capsys, reconstructor, monkeypatch):
    out = tmp_path / "out"
    with_stand_ins_of_blender(monkeypatch)
    run(video, out, capsys)
    monkeypatch.setattr(chain, "find_blender", lambda preferred=None: None)
    assert run(video, out, capsys)["stages_done"] == []
    assert run(video, out, capsys, "--smooth", "1")["stages_done"] == ["animation", "export", "page"]
    assert not any((out / product).exists() for product in BY_BLENDER.values())


def test_files_of_others_are_not_replaced(video, tmp_path, capsys, reconstructor):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "frames").write_text("mine")
    assert main(["from-video", str(video), "-o", str(tmp_path / "out")]) == EXIT_CANNOT_WRITE
    assert (tmp_path / "out" / "frames").read_text() == "mine"
    assert "was not made by this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [("--mesh-provider", "magic"), ("--mesh-provider", "file"), ("--mesh-provider", "hunyuan3d-server"),
     ("--mesh-faces", "3"), ("--hunyuan-time-limit", "0"), ("--reconstructor", "magic"), ("--mask", "rembgg"),
     ("--mask", "sam2:box=1"), ("--mesh-provider", "hunyuan3d-server", "--hunyuan-server", "ftp://there")],
)  # fmt: skip
def test_wrong_options_are_told_before_any_work(tmp_path, options):
    assert main(["from-video", "none.mp4", "-o", str(tmp_path / "out"), *options]) == EXIT_USAGE
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--mesh-provider", "hunyuan3d"), "hy3dgen"), (("--mesh-provider", "file", "--mesh-file", "no.glb"), "no.glb"),
     (("--mesh-provider", "file", "--mesh-file", "."), "known kind"), (("--weights", "no.onnx"), "no.onnx"),
     (("--blender", "/no/blender"), "/no/blender")],
)  # fmt: skip
def test_what_is_missing_is_told_before_any_work(tmp_path, capsys, options, told):
    assert main(["from-video", "none.mp4", "-o", str(tmp_path / "out"), *options]) not in (EXIT_OK, EXIT_INTERNAL)
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_only_kept_stages_need_may_be_missing(video, tmp_path, capsys, reconstructor, monkeypatch):
    """A package that was taken off since, and weights that were."""
    run(video, tmp_path / "out", capsys)

    def lack(*given):
        raise Motion324Error("hunyuan-missing", "It is not there.")

    monkeypatch.setattr(chain, "get_provider", lack)
    assert run(video, tmp_path / "out", capsys, "--smooth", "1")["stages_done"] == ["animation", "export", "page"]
    monkeypatch.setattr(chain, "get_reconstructor", lack)
    assert run(video, tmp_path / "out", capsys, "--smooth", "1")["stages_done"] == []


def test_a_stage_whose_replacement_was_interrupted_counts_as_undone(tmp_path):
    folder = StageFolder(tmp_path)

    def make(text):
        def write(staging):
            (staging / "product.txt").write_text(text)
            return {"text": text}

        return write

    assert folder.do("one", {"a": 1}, make("first")).again
    assert not folder.do("one", {"a": 1}, make("never")).again
    path = tmp_path / "stages" / "one.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": ""}))  # as it is while products move
    assert StageFolder(tmp_path).do("one", {"a": 1}, make("second")).again
    assert (tmp_path / "product.txt").read_text() == "second"
    path.write_text("{")
    (tmp_path / "product.txt").unlink()
    assert StageFolder(tmp_path).do("one", {"a": 1}, make("third")).result == {"text": "third"}


def test_a_mesh_survives_the_way_through_glb(tmp_path, box):
    texture = np.random.default_rng(0).integers(0, 255, (8, 8, 4), np.uint8)
    texture[..., 3] = 255
    uv = np.random.default_rng(1).random((12, 3, 2)).astype(np.float32)
    materials = (Material("a", (1.0, 0.5, 0.25, 1.0), texture), Material("b", (0.2, 0.3, 0.4, 1.0), texture))
    mesh = ReferenceMesh(box.positions, box.faces, np.arange(12, dtype=np.int32) // 6, materials, uv, up="Z")
    write_glb(tmp_path / "box.glb", mesh)
    found = read_mesh(tmp_path / "box.glb")
    expected = mesh.positions[mesh.faces]
    assert np.allclose(found.positions[found.faces], expected[..., [0, 2, 1]] * [1, 1, -1], atol=1e-6)
    assert np.allclose(found.corner_uv, uv, atol=1e-6)
    assert np.array_equal(found.materials[0].texture, texture)
    assert np.allclose(found.materials[1].base_colour, materials[1].base_colour, atol=1e-5)
    again, source = split_by_uv(found)
    assert again is found and np.array_equal(source, np.arange(len(found.positions)))


@pytest.mark.parametrize("fps", [24.0, 12.5])
def test_blender_reads_the_fbx_as_it_was_written(tmp_path, box, blender, fps):
    """Shape keys, frame by frame: the FBX is opened again by Blender, at the rate that it says."""
    from motion324.from_video.exports import write_fbx

    moved = np.stack([box.positions + np.float32([0.5 * index, 0, 0]) for index in range(4)])
    write_glb(tmp_path / "moving.glb", box, moved, fps)
    write_fbx(tmp_path / "moving.fbx", tmp_path / "moving.glb", fps, blender, silent)
    script = (
        "import bpy, sys; bpy.ops.wm.read_homefile(use_empty=True);"
        "bpy.ops.import_scene.fbx(filepath=sys.argv[1], anim_offset=0.0);"
        "thing = next(o for o in bpy.data.objects if o.type == 'MESH'); out = [];\n"
        "render = bpy.context.scene.render\n"
        "for frame in range(4):\n"  # Blender's importer makes `fps` frames of a second, whatever the base is
        "    place = frame * render.fps_base; bpy.context.scene.frame_set(int(place), subframe=place % 1)\n"
        "    posed = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())\n"
        "    out.append(min((posed.matrix_world @ v.co).x for v in posed.data.vertices))\n"
        "print('rate', render.fps / render.fps_base, 'lowest', *out)"
    )
    import subprocess

    said = subprocess.run([blender, "-c", script, tmp_path / "moving.fbx"], capture_output=True, text=True).stdout
    rate, lowest = ([float(word) for word in part.split()] for part in said.split("rate")[1].split("lowest"))
    assert rate == [pytest.approx(fps)]
    assert lowest == pytest.approx([5.0, 5.5, 6.0, 6.5], abs=0.01)
