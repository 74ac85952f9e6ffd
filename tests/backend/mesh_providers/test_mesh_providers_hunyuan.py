"""Hunyuan3D-2 as a provider, against stand-ins of its package and of its server."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from motion324.core.errors import EXIT_NO_FOREGROUND, Cancelled, Motion324Error
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.files.gltf_writing import write_glb
from motion324.mesh_providers.hunyuan.finishing import cleaned, object_on_square, without_floaters
from motion324.mesh_providers.interface import ObjectPicture
from motion324.mesh_providers.registry import get_provider

SIZE = 96


def ball(radius=0.5, centre=(0.0, 0.0, 0.0), rings=24, sides=32):
    """positions (N, 3) and faces (F, 3) of a closed ball."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1, None]
    phi = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.sin(phi)], axis=-1)
    points = np.concatenate([circle.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    top, bottom, last = len(points) - 2, len(points) - 1, (rings - 2) * sides
    faces = []
    for side in range(sides):
        after = (side + 1) % sides
        faces += [(top, after, side), (bottom, last + side, last + after)]
        for ring in range(rings - 2):
            a, b = ring * sides + side, ring * sides + after
            faces += [(a, b, b + sides), (a, b + sides, a + sides)]
    return radius * points + np.array(centre), np.array(faces)


def made_mesh(painted=True):
    """A ball, a small floater beside it, and a face without area."""
    (body, faces), (speck, speck_faces) = ball(), ball(0.02, (0.7, 0.7, 0.0), 2, 3)
    positions = np.concatenate([body, speck]).astype(np.float32)
    faces = np.concatenate([faces, speck_faces + len(body), [[0, 0, 1]]]).astype(np.int32)
    colour = np.full((len(positions), 3), 0.25, np.float32) if painted else None
    return ReferenceMesh(positions, faces, np.zeros(len(faces), np.int32), vertex_colour=colour)


def made_glb(folder, painted=True):
    path = folder / "made.glb"
    write_glb(path, made_mesh(painted))
    return path.read_bytes()


@pytest.fixture
def picture():
    mask = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(mask, (48, 48), 30, 1, -1)
    frame = np.where(mask[..., None] > 0.5, np.uint8([200, 40, 20]), np.uint8([0, 200, 0])).astype(np.uint8)
    return ObjectPicture(frame, mask, "ball.mp4")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        stand_in = self.server
        stand_in.hang(self.path)
        stand_in.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        stand_in.keys.append(self.headers.get("Authorization"))
        if stand_in.status != 200:
            self.answer(stand_in.status, b"{}")
        elif self.path == "/send" and not stand_in.only_generate:
            self.answer(200, b'{"uid": "job-1"}')
        elif self.path == "/generate":
            self.answer(200, stand_in.glb)
        else:
            self.answer(404, b"{}")

    def do_GET(self):
        stand_in = self.server
        stand_in.polls += 1
        stand_in.hang(self.path)
        if self.path != "/status/job-1" or stand_in.polls <= stand_in.busy:
            self.answer(200, b'{"status": "processing"}')
            return
        whole = stand_in.polls > stand_in.busy + 1  # at first the file is still being written
        data = stand_in.glb if whole else stand_in.glb[: len(stand_in.glb) // 2]
        answer = {"status": "completed", "model_base64": base64.b64encode(data).decode()}
        self.answer(200, json.dumps(answer).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The server's interface; it is asked for `busy` more times than needed."""
    monkeypatch.setattr("motion324.mesh_providers.hunyuan.server.POLL_SECONDS", 0.05)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.keys, server.polls, server.busy = [], [], 0, 2
    server.status, server.only_generate, server.glb = 200, False, made_glb(tmp_path)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.hang = lambda path: None
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def asking(server, **changes):
    return MeshSettings(provider="hunyuan3d-server", server=getattr(server, "address", server), **changes)


def test_the_server_gets_the_object_alone_and_its_mesh_is_cleaned(stand_in, picture, monkeypatch):
    monkeypatch.setenv("MOTION324_HUNYUAN3D_KEY", "secret")
    provided = get_provider(asking(stand_in, seed=7, faces=4000)).provide(picture, silent)
    (asked,) = stand_in.asked
    assert (asked["seed"], asked["face_count"], asked["texture"], asked["type"]) == (7, 4000, True, "glb")
    assert stand_in.keys == ["Bearer secret"]
    png = cv2.imdecode(np.frombuffer(base64.b64decode(asked["image"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert png.shape[0] == png.shape[1] and png.shape[2] == 4
    assert png[0, 0, 3] == 0 and png[len(png) // 2, len(png) // 2].tolist() == [20, 40, 200, 255]
    assert len(provided.mesh.positions) == len(ball()[0])  # neither floater nor degenerate face
    assert provided.mesh.vertex_colour == pytest.approx(0.25, abs=0.01)
    assert provided.details["painted"] and provided.details["silhouette_overlap"] > 0.95
    assert abs(provided.view.azimuth) < 20
    assert stand_in.polls == 4


def test_a_server_without_send_is_asked_by_generate(stand_in, picture):
    stand_in.only_generate = True
    assert len(get_provider(asking(stand_in)).provide(picture, silent).mesh.faces) == len(ball()[1])


PAGE = b"<!doctype html><html><head><script>window.gradio_config = {}</script></head></html>"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, b'{"detail": "Not Found"}', "knows neither /send nor /generate"),
        (405, PAGE, "answered with Gradio's page"),
        (200, PAGE, "answered with Gradio's page"),
        (200, b"\n<HTML><body>It works!</body></HTML>", "answered with a web page"),
    ],
)
def test_another_server_than_hunyuan_s_is_told_as_such(picture, status, body, told):
    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        settings = MeshSettings(provider="hunyuan3d-server", server=f"http://127.0.0.1:{other.server_address[1]}")
        with pytest.raises(Motion324Error, match=f"is no Hunyuan3D-2 API server: it {told}") as error:
            get_provider(settings).provide(picture, silent)
        other.shutdown()
    assert "api_server.py, not gradio_app.py" in error.value.hint


def test_an_unpainted_mesh_gets_the_colours_of_the_picture(stand_in, picture, tmp_path):
    stand_in.glb = made_glb(tmp_path, painted=False)
    provided = get_provider(asking(stand_in, texture=False)).provide(picture, silent)
    assert not provided.details["painted"] and not stand_in.asked[0]["texture"]
    assert np.abs(provided.mesh.materials[0].texture[..., :3].astype(int) - [200, 40, 20]).max() <= 2


@pytest.mark.parametrize(("status", "code"), [(401, "server-refused"), (500, "server-failed")])
def test_a_refusal_is_told(stand_in, picture, status, code):
    stand_in.status = status
    with pytest.raises(Motion324Error, match=stand_in.address) as problem:
        get_provider(asking(stand_in)).provide(picture, silent)
    assert problem.value.code == code


def test_a_server_that_never_finishes_is_given_up(stand_in, picture):
    stand_in.busy = 10**6
    with pytest.raises(Motion324Error, match=r"within 0\.4 seconds") as problem:
        get_provider(asking(stand_in, time_limit=0.4)).provide(picture, silent)
    assert problem.value.code == "server-too-slow"


def hang_at(server, path, times):
    """The first `times` requests of the path get no answer in time."""
    released, left = threading.Event(), [None] * times

    def hang(asked):
        if asked.startswith(path) and left:
            left.pop()
            released.wait(5)

    server.hang = hang
    return released


def test_a_question_that_is_answered_late_is_asked_again(stand_in, picture, monkeypatch):
    monkeypatch.setattr("motion324.mesh_providers.hunyuan.server.ANSWER_SECONDS", 0.3)
    released = hang_at(stand_in, "/status", 2)
    assert len(get_provider(asking(stand_in)).provide(picture, silent).mesh.faces) == len(ball()[1])
    released.set()


def test_a_server_that_answers_no_question_is_given_up_at_the_time_limit(stand_in, picture, monkeypatch):
    monkeypatch.setattr("motion324.mesh_providers.hunyuan.server.ANSWER_SECONDS", 0.3)
    released = hang_at(stand_in, "/status", 10**3)
    with pytest.raises(Motion324Error, match=r"within 1 seconds") as problem:
        get_provider(asking(stand_in, time_limit=1.0)).provide(picture, silent)
    assert problem.value.code == "server-too-slow" and stand_in.polls > 1
    released.set()


def test_a_first_frame_without_an_object_is_told_and_sent_nowhere(stand_in, package, picture):
    empty = ObjectPicture(picture.frame, np.zeros_like(picture.mask), "late.mp4")
    for settings in (asking(stand_in), installed(package)):
        with pytest.raises(Motion324Error, match=r"late\.mp4") as problem:
            get_provider(settings).provide(empty, silent)
        assert (problem.value.code, problem.value.exit_code) == ("no-foreground", EXIT_NO_FOREGROUND)
    assert not stand_in.asked


def test_a_server_that_takes_no_job_is_told_as_such(stand_in, picture, monkeypatch):
    monkeypatch.setattr("motion324.mesh_providers.hunyuan.server.ANSWER_SECONDS", 0.3)
    released = hang_at(stand_in, "/send", 1)
    with pytest.raises(Motion324Error, match=r"did not answer within 0\.3 seconds") as problem:
        get_provider(asking(stand_in)).provide(picture, silent)
    assert problem.value.code == "server-unreachable"
    released.set()


def test_waiting_for_the_server_can_be_cancelled_at_once(stand_in, picture):
    stand_in.busy = 10**6
    calls = []

    def progress(stage, done, total):
        calls.append(time.monotonic())
        if len(calls) > 12:
            raise Cancelled

    with pytest.raises(Cancelled):
        get_provider(asking(stand_in)).provide(picture, progress)
    assert max(np.diff(calls)) < 0.25


def test_no_server_at_the_address_is_told(picture):
    with pytest.raises(Motion324Error, match="cannot be reached") as problem:
        get_provider(asking("127.0.0.1:9", time_limit=5)).provide(picture, silent)
    assert problem.value.code == "server-unreachable"


@pytest.mark.parametrize("address", ["ftp://there", "http://", "http://there:port"])
def test_what_is_no_address_is_refused_before_any_work(address):
    with pytest.raises(Motion324Error) as problem:
        get_provider(asking(address))
    assert problem.value.code == "bad-option"


def test_the_licence_names_where_it_does_not_apply(stand_in):
    licence = get_provider(asking(stand_in)).licence
    assert all(place in licence for place in ("European Union", "United Kingdom", "South Korea", "https://"))


PACKAGE = """
import trimesh, json, os
class Hunyuan3DDiTFlowMatchingPipeline:
    @classmethod
    def from_pretrained(cls, path, device):
        made = cls()
        made.path = path
        return made
    def __call__(self, image, num_inference_steps, generator, callback, callback_steps):
        assert image.mode == "RGBA" and generator.seed == 3
        for step in range(num_inference_steps):
            callback(step, 0.0, None)
        return [trimesh.creation.icosphere(subdivisions=3, radius=0.5)]
def FloaterRemover():
    return lambda mesh: mesh
DegenerateFaceRemover = FloaterRemover
class FaceReducer:
    def __call__(self, mesh, max_facenum):
        assert max_facenum == 2000
        return mesh
"""
PAINT = """
class Hunyuan3DPaintPipeline:
    @classmethod
    def from_pretrained(cls, path):
        return cls()
    def __call__(self, mesh, image):
        mesh.visual.vertex_colors = [10, 20, 200, 255]
        return mesh
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in of hy3dgen with its interface, and folders where its weights would be."""
    folder = tmp_path / "packages" / "hy3dgen"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "shapegen.py").write_text(PACKAGE)
    (folder / "texgen.py").write_text(PAINT)
    weights = tmp_path / "weights"
    for name in ("hunyuan3d-dit-v2-0", "hunyuan3d-delight-v2-0", "hunyuan3d-paint-v2-0"):
        (weights / name).mkdir(parents=True)
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    torch.Generator = lambda device: types.SimpleNamespace(manual_seed=lambda seed: types.SimpleNamespace(seed=seed))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.syspath_prepend(str(folder.parent))
    yield weights
    for name in [name for name in sys.modules if name.split(".")[0] == "hy3dgen"]:
        del sys.modules[name]


def installed(weights, **changes):
    return MeshSettings(provider="hunyuan3d", model=str(weights), seed=3, faces=2000, **changes)


def test_the_package_makes_shape_and_paint(package, picture):
    steps = []
    provider = get_provider(installed(package))
    provided = provider.provide(picture, lambda stage, done, total: steps.append((stage, done, total)))
    assert provided.details["painted"] and provided.details["faces_made"] == 1280
    assert np.allclose(provided.mesh.vertex_colour, np.array([10, 20, 200]) / 255, atol=0.01)
    assert steps[0] == ("mesh", 0, 50)


def test_without_weights_that_paint_the_picture_colours_the_mesh(package, picture, caplog):
    (package / "hunyuan3d-paint-v2-0").rmdir()
    provided = get_provider(installed(package)).provide(picture, silent)
    assert not provided.details["painted"] and provided.mesh.corner_uv is not None
    assert "no weights that paint" in caplog.text


def test_weights_that_are_missing_are_not_downloaded(package):
    with pytest.raises(Motion324Error, match="not downloaded unasked") as problem:
        get_provider(installed(package / "elsewhere"))
    assert problem.value.code == "hunyuan-weights-missing"


def test_a_failure_of_the_package_is_told_in_its_words(package, picture):
    with pytest.raises(Motion324Error, match="AssertionError") as problem:
        get_provider(MeshSettings(provider="hunyuan3d", model=str(package))).provide(picture, silent)
    assert problem.value.code == "hunyuan-failed"


def test_without_the_package_the_way_to_it_is_told():
    with pytest.raises(Motion324Error, match="hy3dgen") as problem:
        get_provider(MeshSettings(provider="hunyuan3d"))
    assert problem.value.code == "hunyuan-missing"


def test_meshes_of_too_many_faces_are_reduced():
    pytest.importorskip("fast_simplification", reason="the extra 'hunyuan3d' is not installed")
    positions, faces = ball(rings=80, sides=100)
    mesh = ReferenceMesh(positions.astype(np.float32), faces.astype(np.int32), np.zeros(len(faces), np.int32))
    small = cleaned(mesh, 2000)
    assert 1500 <= len(small.faces) <= 2000
    assert np.allclose(np.linalg.norm(small.positions, axis=1), 0.5, atol=0.02)


def test_parts_at_seams_are_no_floaters():
    positions, faces = ball()
    apart = ReferenceMesh(
        positions[faces].reshape(-1, 3).astype(np.float32),
        np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3),
        np.zeros(len(faces), np.int32),
    )
    assert len(without_floaters(apart).faces) == len(faces)


def test_the_square_has_the_object_in_its_middle():
    mask = np.zeros((50, 200), np.float32)
    mask[10:40, 100:190] = 1
    square = object_on_square(ObjectPicture(np.full((50, 200, 3), 9, np.uint8), mask, "box.mp4"))
    ys, xs = np.nonzero(square[..., 3])
    assert square.shape[:2] == (117, 117)
    assert abs(ys.mean() - 58) < 1 and abs(xs.mean() - 58) < 1
