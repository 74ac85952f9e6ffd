"""Messages: what goes in comes out, and nothing malformed gets through."""

from __future__ import annotations

import copy
import dataclasses
import json
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from backend_rigs import armature, cloud
from wire_harness import clip, tetrahedron

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.motion.pins import Pins, PointPin, PosePin, StillPin
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.rig_settings import RigSettings
from motion324.core.reference_mesh import Material, ReferenceMesh, topology_hash
from motion324.core.result import AnimationResult, Examination, MadeMesh
from motion324.core.rigs.rig import RiggedMotion, RigMotion
from motion324.core.view import look_at_origin
from motion324.wire import framing, protocol
from motion324.wire.connection import Connection, ConnectionLost
from motion324.wire.file_messages import FileKey, SentFile
from motion324.wire.framing import Limits

RNG = np.random.default_rng(0)


def textured_mesh() -> ReferenceMesh:
    texture = RNG.integers(0, 255, (8, 16, 4), dtype=np.uint8)
    return ReferenceMesh(
        positions=RNG.normal(size=(5, 3)).astype(np.float32),
        faces=np.array([[0, 1, 2], [2, 3, 4]], np.int32),
        face_material=np.array([0, 2], np.int32),
        materials=(Material("fur", (1, 0.5, 0.25, 1), texture), Material("eye"), Material("paw", texture=texture)),
        corner_uv=RNG.random((2, 3, 2), dtype=np.float32),
        vertex_colour=RNG.random((5, 3), dtype=np.float32),
        up="Z",
        name="Füchsin",
        metadata={"source": "a test"},
    )


def result(doubted: int = 0) -> AnimationResult:
    """doubted: frames of which doubt is told."""
    return AnimationResult(
        positions=RNG.normal(size=(3, 5, 3)).astype(np.float32),
        frame_numbers=np.array([4, 6, 8]),
        fps=12.5,
        view=look_at_origin(30, 10, 3, 1.2),
        report={"seconds": {"read": np.float64(0.5)}, "counts": np.arange(2), "video": Path("a/b")},
        camera_to_first=RNG.normal(size=(3, 3, 3)),
        doubt=RNG.random((doubted, 5)).astype(np.float16) if doubted else None,
    )


def request(video: VideoClip | Path | None = None) -> protocol.AnimateRequest:
    options = AnimateOptions(frames=(2, None, 3), view="30,10", seed=5)
    return protocol.AnimateRequest.of(textured_mesh(), clip() if video is None else video, options)


EXAMINATION = Examination(
    frame=RNG.integers(0, 255, (3, 4, 3), dtype=np.uint8),
    mask=RNG.random((3, 4), dtype=np.float32),
    mask_method="plain",
    frame_number=4,
    frame_count=90,
    used_count=30,
    fps=29.97,
    size=(3840, 2160),
    warnings=({"code": "mask-empty", "sentence": "No object."},),
    view=look_at_origin(30, 10, 3, 1.2),
    silhouette_overlap=0.9,
)
RIG = armature(
    (-1, 0), rotation_modes=("QUATERNION", "ZYX"), limit_orders=("YZX", "ZYX"), connected=np.array([False, True])
)
SKIN = cloud(RIG, 7)
MOTION = RigMotion(
    turned=np.array([True, False]),
    moved=np.array([True, False]),
    scaled=np.array([False, True]),
    held=np.array([True, False]),
    location=RNG.normal(size=(3, 2, 3)),
    rotation=RNG.normal(size=(3, 2, 4)),
    euler=RNG.normal(size=(3, 2, 3)),
    scale=RNG.random((3, 2, 3)) + 0.5,
    mean=RNG.random(3),
    largest=RNG.random(3),
    worst=RNG.random(14, dtype=np.float32),
    warnings=({"code": "rig-loose-vertices", "sentence": "Two vertices stay."},),
    report={"bones": 2, "mean": 0.5},
)
PINS = Pins(
    (PointPin(3, 2, (0.25, 0.5)), PointPin(4, 0, (1.0, 0.0))),
    (StillPin(2, 9, np.array([1, 2])),),
    (PosePin(4, RNG.normal(size=(2, 3)), np.array([0, 1])), PosePin(5, RNG.normal(size=(4, 3)))),
)


def correction(moving: bool) -> protocol.AnimateRequest:
    mesh, count = tetrahedron(), 3
    last = AnimationResult(
        RNG.normal(size=(count, len(mesh.positions), 3)).astype(np.float32),
        np.array([3, 4, 6]),
        24.0,
        look_at_origin(30, 10, 3, 1.2),
        {"warnings": []},
        RNG.normal(size=(count, 3, 3)) if moving else None,
        RNG.random((count, len(mesh.positions))).astype(np.float16) if moving else None,
    )
    return protocol.AnimateRequest.correcting(last, PINS, mesh, Path("/videos/fox.mp4"), AnimateOptions())


MESSAGES = [
    correction(moving=True),
    correction(moving=False),
    dataclasses.replace(request(), pins=PINS),
    protocol.Hello("a test", pid=3, log_path="/tmp/x"),
    request(),
    request(VideoClip(np.ones((2, 3, 4, 3), np.uint8), 24.0, np.arange(2), alpha=np.ones((2, 3, 4), np.uint8))),
    request(Path("/videos/fox.mp4")),
    protocol.ExamineRequest(Path("/videos/fox.mp4")),
    protocol.ExamineRequest(clip(), AnimateOptions(view="front"), tetrahedron(), job_id="j"),
    protocol.ExaminationEvent("j", EXAMINATION),
    protocol.ExaminationEvent("j", dataclasses.replace(EXAMINATION, view=None, silhouette_overlap=None, warnings=())),
    protocol.MeshRequest(Path("/videos/fox.mp4"), AnimateOptions(video_fps=12.0), MeshSettings(faces=4000), job_id="j"),
    protocol.MeshEvent(
        "j", MadeMesh(tetrahedron(), "front", 3, "plain", "inflate", "A licence.", (), {"overlap": 0.9})
    ),
    protocol.RigRequest(RNG.normal(size=(3, 14, 3)).astype(np.float32), np.int32([[0, 1, 2]]), RigSettings(bones=7)),
    protocol.RigRequest(
        RNG.normal(size=(3, 14, 3)).astype(np.float32), np.zeros((0, 3), np.int32), armature=RIG, skin=SKIN, name="Fox"
    ),
    protocol.RigEvent("j", RiggedMotion(RIG, SKIN, MOTION)),
    dataclasses.replace(request(Path("/videos/fox.mp4")), files=(SentFile("video", FileKey("C:\\fox.mp4", "f00", 5)),)),
    protocol.SeesFiles((FileKey("/videos/fox.mp4", "f00", 5), FileKey("C:\\masks", "", 0))),
    protocol.Seen("q", (True, False)),
    protocol.Upload("j", "s", FileKey("C:\\frames", "f00", 5), "frames", True, (("0.png", 5), ("1.png", 0))),
    protocol.UploadPart("j", 1 << 40, np.arange(9, dtype=np.uint8)),
    protocol.UploadReceived("j", 1 << 40),
    protocol.Cancel("j"),
    protocol.StatusRequest(),
    protocol.Unload("q", keep_on_cpu=True),
    protocol.Shutdown("q"),
    protocol.Heartbeat(),
    protocol.Goodbye(),
    protocol.Queued("j", 3),
    protocol.ProgressEvent("j", "refine", 2, 7, 1.5),
    protocol.ProgressEvent("j", "refine", 2, 7),
    protocol.ProgressEvent("j", "refine", 2, 7, match=0.59),
    protocol.FramesEvent("j", np.array([3, 4]), RNG.normal(size=(2, 5, 3)).astype(np.float32), final=True),
    protocol.FramesEvent("j", np.array([3]), np.zeros((1, 5, 3), np.float32), False, np.full((1, 5), 0.5, np.float16)),
    protocol.ErrorMessage("j", "mesh-empty", "The mesh is empty.", "Choose another.", "/tmp/x", 3),
    protocol.Status("q", "cpu", {"process": 5.0}, ("deformation-fit",), "j", 2, 7, 1.5, {"threads": 2}),
    protocol.Done("q"),
]


@pytest.fixture
def wire():
    """A raw socket, and the connection at its other end."""
    near, far = socket.socketpair()
    connection = Connection(far)
    yield near, connection
    near.close()
    connection.close()


def over_a_socket(message: protocol.Message) -> protocol.Message:
    near, far = (Connection(end) for end in socket.socketpair())
    sender = threading.Thread(target=lambda: near.send(framing.encode(*protocol.to_wire(message))))
    sender.start()
    received = protocol.from_wire(*far.receive(wait=5))
    sender.join()
    near.close()
    far.close()
    return received


def assert_same(a: object, b: object) -> None:
    """Equal in type and value, through dataclasses, containers and arrays."""
    assert type(a) is type(b)
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b, strict=True)
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_a_message_arrives_as_it_was_sent(message):
    received = over_a_socket(message)
    if isinstance(message, protocol.AnimateRequest):
        floats = [dataclasses.replace(m, base_colour=tuple(map(float, m.base_colour))) for m in message.mesh.materials]
        message = dataclasses.replace(message, mesh=dataclasses.replace(message.mesh, materials=tuple(floats)))
    assert_same(received, message)


@pytest.mark.parametrize("doubted", [0, 1, 3])
def test_a_result_arrives_with_its_report_as_plain_values(doubted):
    sent = protocol.ResultEvent("j", result(doubted), "hash")
    received = over_a_socket(sent)
    report = {"seconds": {"read": 0.5}, "counts": [0, 1], "video": str(Path("a/b"))}
    assert_same(received, dataclasses.replace(sent, result=dataclasses.replace(sent.result, report=report)))


def test_doubt_of_another_number_of_frames_than_the_result_has_is_refused():
    with pytest.raises(Motion324Error, match="tells of 2 frames; it must be of 3"):
        over_a_socket(protocol.ResultEvent("j", result(2), "hash"))


def test_a_relative_video_path_is_made_absolute_since_the_backend_lives_elsewhere():
    received = over_a_socket(request(Path("fox.mp4")))
    assert received.video == Path.cwd() / "fox.mp4"


def test_other_types_of_numbers_are_converted_on_the_way():
    mesh = dataclasses.replace(
        textured_mesh(), positions=np.asfortranarray(np.ones((5, 3))), faces=np.array([[0, 1, 2], [2, 3, 4]], np.uint64)
    )
    received = over_a_socket(protocol.AnimateRequest.of(mesh, clip(), AnimateOptions()))
    assert received.mesh.positions.dtype == np.float32
    np.testing.assert_array_equal(received.mesh.positions, 1)
    np.testing.assert_array_equal(received.mesh.faces, mesh.faces)


def test_a_texture_that_materials_share_is_sent_once():
    _, arrays = protocol.to_wire(request())
    assert [name for name in arrays if name.startswith("texture")] == ["texture.0"]


def test_contiguous_arrays_are_not_copied_on_their_way_out():
    message = next(message for message in MESSAGES if isinstance(message, protocol.FramesEvent))
    buffers = framing.encode(*protocol.to_wire(message))
    assert any(np.shares_memory(np.frombuffer(buffer, np.uint8), message.positions) for buffer in buffers)


def without(values: dict, name: str) -> dict:
    return {key: value for key, value in values.items() if key != name}


WRONG_CORRECTIONS = {
    "an earlier result without pins": lambda h, a: ({**h, "pins": None}, a),
    "of another mesh": lambda h, a: (h, {**a, "last.positions": np.zeros((3, 9, 3), np.float32)}),
    "of other frames": lambda h, a: (h, {**a, "last.frame_numbers": np.arange(2)}),
    "of frames before the first": lambda h, a: (h, {**a, "last.frame_numbers": np.array([4, -3, 6])}),
    "with no numbers": lambda h, a: (h, {**a, "last.positions": np.full((3, 4, 3), np.nan, np.float32)}),
    "a pin is negative": lambda h, a: (h, {**a, "pins.points": np.array([[3, 2], [4, -1]])}),
    "a place of no pin": lambda h, a: (h, {**a, "pins.at": np.zeros((3, 2))}),
    "a place far beyond the picture": lambda h, a: (h, {**a, "pins.at": np.full((2, 2), 900.0)}),
    "a group without its vertices": lambda h, a: (h, {**a, "pins.still_vertices": np.array([1])}),
    "frames that end before they begin": lambda h, a: (h, {**a, "pins.stills": np.array([[9, 2, 2]])}),
    "a pose of other vertices": lambda h, a: (h, {**a, "pins.poses": np.array([[4, 3, 2], [5, 3, 0]])}),
}


@pytest.mark.parametrize("spoil", WRONG_CORRECTIONS.values(), ids=WRONG_CORRECTIONS)
def test_a_malformed_correction_is_refused(spoil):
    header, arrays = spoil(*protocol.to_wire(correction(moving=False)))
    with pytest.raises(Motion324Error) as error:
        protocol.from_wire(header, arrays)
    assert error.value.code == "bad-message"


def test_pins_of_a_file_go_along_with_the_request(tmp_path):
    (tmp_path / "pins.json").write_text(json.dumps(PINS.to_dict()))
    sent = protocol.AnimateRequest.of(tetrahedron(), clip(), AnimateOptions(pins=str(tmp_path / "pins.json")))
    received = over_a_socket(sent)
    assert_same(received.pins, PINS)
    assert received.options.pins == ""


WRONG_REQUESTS = {
    "positions are missing": lambda h, a: (h, without(a, "mesh.positions")),
    "positions are flat": lambda h, a: (h, {**a, "mesh.positions": np.zeros((5, 2), np.float32)}),
    "positions are doubles": lambda h, a: (h, {**a, "mesh.positions": np.zeros((5, 3))}),
    "faces are quads": lambda h, a: (h, {**a, "mesh.faces": np.zeros((2, 4), np.int32)}),
    "a face names no vertex": lambda h, a: (h, {**a, "mesh.faces": np.full((2, 3), 5, np.int32)}),
    "a face is negative": lambda h, a: (h, {**a, "mesh.faces": np.full((2, 3), -1, np.int32)}),
    "a material is missing": lambda h, a: (h, {**a, "mesh.face_material": np.array([0, 3], np.int32)}),
    "too few face materials": lambda h, a: (h, {**a, "mesh.face_material": np.array([0], np.int32)}),
    "uv of other faces": lambda h, a: (h, {**a, "mesh.corner_uv": np.zeros((3, 3, 2), np.float32)}),
    "colours of other vertices": lambda h, a: (h, {**a, "mesh.vertex_colour": np.zeros((6, 3), np.float32)}),
    "a texture without alpha": lambda h, a: (h, {**a, "texture.0": np.zeros((4, 4, 3), np.uint8)}),
    "a texture is missing": lambda h, a: (h, without(a, "texture.0")),
    "frames are grey": lambda h, a: (h, {**a, "video.frames": np.zeros((2, 4, 6), np.uint8)}),
    "numbers of other frames": lambda h, a: (h, {**a, "video.frame_numbers": np.arange(3)}),
    "alpha of other frames": lambda h, a: (h, {**a, "video.alpha": np.zeros((2, 4, 5), np.uint8)}),
    "no materials": lambda h, a: ({**h, "mesh": {**h["mesh"], "materials": []}}, a),
    "a material is a number": lambda h, a: ({**h, "mesh": {**h["mesh"], "materials": [1]}}, a),
    "a colour has three numbers": lambda h, a: (
        {**h, "mesh": {**h["mesh"], "materials": [{"name": "m", "base_colour": [1, 1, 1]}]}},
        a,
    ),
    "an unknown axis": lambda h, a: ({**h, "mesh": {**h["mesh"], "up": "X"}}, a),
    "metadata of numbers": lambda h, a: ({**h, "mesh": {**h["mesh"], "metadata": {"a": 1}}}, a),
    "no fps": lambda h, a: ({**h, "video": {"clip": {"name": "v", "fps": 0}}}, a),
    "endless fps": lambda h, a: ({**h, "video": {"clip": {"name": "v", "fps": 10**400}}}, a),
    "no video": lambda h, a: ({**h, "video": {}}, a),
    "a job id that is a number": lambda h, a: ({**h, "job_id": 5}, a),
    "a job id without end": lambda h, a: ({**h, "job_id": "j" * 200}, a),
    "an unknown option": lambda h, a: ({**h, "options": {"speed": 11}}, a),
    "an option of another type": lambda h, a: ({**h, "options": {"smooth": [1]}}, a),
    "an unknown kind": lambda h, a: ({**h, "kind": "run"}, a),
    "a kind that is a list": lambda h, a: ({**h, "kind": ["animate"]}, a),
}


@pytest.mark.parametrize("spoil", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_a_request_that_does_not_fit_is_refused_with_a_sentence(spoil):
    with pytest.raises(Motion324Error) as caught:
        protocol.from_wire(*spoil(*protocol.to_wire(request())))
    assert caught.value.code in ("bad-message", "bad-option")
    assert caught.value.sentence.endswith(".")


HOSTILE = (
    *(None, True, -1, 0, 1.5, float("nan"), float("inf"), 2**31, 2**63, 10**400, "", "x" * 100_000, "\0", "\ud800"),
    *("../../etc/passwd", [], [[]], [None], [1, 1, 1], {}, {"a": {}}, {"": 1}),
)


def places_in(values: object, above: tuple = ()) -> list[tuple]:
    """Where all is that a header holds, at any depth."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [place for key, value in items for place in [(*above, key), *places_in(value, (*above, key))]]


def with_other(header: dict, place: tuple, value: object) -> dict:
    changed = copy.deepcopy(header)
    within = changed
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    return changed


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_hostile_values_in_any_field_are_taken_or_refused_in_a_sentence(message):
    sent, arrays = protocol.to_wire(message)
    header = json.loads(b"".join(framing.encode(sent, {}))[framing.PREFIX.size :])
    places = places_in(header)
    tried = [(with_other(header, place, value), arrays) for place in places for value in HOSTILE]
    shapes = [
        lambda a: a[:0],
        lambda a: a[..., None],
        lambda a: a.astype(np.float64),
        lambda a: np.float32(3)[None][0:],
    ]
    tried += [(header, {**arrays, name: spoil(array)}) for name, array in arrays.items() for spoil in shapes]
    tried += [(header, without(arrays, name)) for name in arrays]
    assert len(tried) >= len(HOSTILE)
    for spoilt, values in tried:
        try:
            protocol.from_wire(spoilt, values)
        except Motion324Error as error:
            assert error.sentence.endswith(".") and len(str(error)) < 1000


def test_the_refusal_names_the_field_and_both_shapes():
    header, arrays = protocol.to_wire(request())
    arrays["mesh.corner_uv"] = np.zeros((3, 3, 2), np.float32)
    with pytest.raises(Motion324Error, match=r"mesh\.corner_uv has the shape \(3, 3, 2\); it must be \(2, 3, 2\)"):
        protocol.from_wire(header, arrays)


def test_spoilt_bytes_never_raise_anything_unexpected():
    """Every byte of a small message is changed in turn; most changes are noticed, and none escapes as another error."""
    message = protocol.FramesEvent("j", np.array([0]), np.zeros((1, 2, 3), np.float32), True)
    good = b"".join(framing.encode(*protocol.to_wire(message)))
    noticed = 0
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x15
        near, far = socket.socketpair()
        near.sendall(bad)
        near.close()
        connection = Connection(far)
        try:
            protocol.from_wire(*connection.receive(Limits(1 << 16, 1 << 16, 10), wait=1))
        except (Motion324Error, ConnectionLost):
            noticed += 1
        connection.close()
    assert noticed > len(good) / 2


@pytest.mark.parametrize(
    ("header", "body"), [(1 << 31, 0), (10, 1 << 62), (framing.MESSAGE_LIMITS.header + 1, 0)], ids=str
)
def test_a_message_that_claims_too_much_is_refused_before_any_memory_is_taken(wire, header, body):
    near, far = wire
    near.sendall(framing.PREFIX.pack(framing.MAGIC, header, body))
    with pytest.raises(Motion324Error, match="claims a header of"):
        far.receive(wait=1)


def test_a_message_with_too_many_arrays_is_refused(wire):
    near, far = wire
    near.sendall(b"".join(framing.encode({"kind": "x"}, {str(i): np.zeros(1) for i in range(11)})))
    with pytest.raises(Motion324Error, match="11 arrays, where at most 10"):
        far.receive(Limits(1 << 16, 1 << 16, arrays=10), wait=1)


def test_sending_too_much_is_refused_on_the_sending_side():
    endless = np.broadcast_to(np.zeros(1, np.uint8), (framing.MESSAGE_LIMITS.arrays + 1,))
    arrays = {str(i): endless[i : i + 1] for i in range(len(endless))}
    with pytest.raises(Motion324Error) as caught:
        framing.encode({}, arrays)
    assert caught.value.code == "message-too-large"
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", [b"[1]", b"nonsense", b"[" * 100_000, b"\xff\xfe", b"{" + b'"a":{' * 5000, b"1" * 9000]
)
def test_a_header_that_is_not_a_json_object_is_refused(wire, text):
    near, far = wire
    near.sendall(framing.PREFIX.pack(framing.MAGIC, len(text), 0) + text)
    with pytest.raises(Motion324Error, match="cannot be read"):
        far.receive(wait=1)


def test_a_cancelled_job_arrives_as_cancelled_and_other_errors_keep_their_advice():
    assert isinstance(protocol.ErrorMessage.of("j", Cancelled(), "log").to_error(), Cancelled)
    error = Motion324Error("video-unreadable", "fox.mp4 is broken.", "Convert it.", EXIT_BAD_VIDEO)
    received = over_a_socket(protocol.ErrorMessage.of("j", error, "/tmp/backend.log")).to_error()
    assert (received.code, received.sentence, received.hint, received.exit_code, received.log_path) == (
        "video-unreadable",
        "fox.mp4 is broken.",
        "Convert it.",
        EXIT_BAD_VIDEO,
        "/tmp/backend.log",
    )


def test_the_topology_hash_changes_with_faces_and_vertex_count_only():
    mesh = tetrahedron()
    same = dataclasses.replace(mesh, positions=mesh.positions + 1, name="other", faces=mesh.faces.astype(np.int64))
    assert topology_hash(same) == topology_hash(mesh)
    changed = [
        dataclasses.replace(mesh, faces=mesh.faces[:, [1, 2, 0]]),
        dataclasses.replace(mesh, faces=mesh.faces[::-1]),
        dataclasses.replace(mesh, faces=mesh.faces[:3]),
        dataclasses.replace(mesh, positions=np.concatenate([mesh.positions, mesh.positions[:1]])),
    ]
    hashes = {topology_hash(m) for m in changed}
    assert len(hashes) == len(changed)
    assert topology_hash(mesh) not in hashes
