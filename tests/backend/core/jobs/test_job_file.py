"""What a line of a job file may say, and when its earlier result still counts."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from motion324.core.errors import Motion324Error
from motion324.core.files.write_aside import written_aside
from motion324.core.jobs.job_file import read_lines
from motion324.core.jobs.job_item import JobItem, parse_item
from motion324.core.jobs.job_record import JobRecord
from motion324.core.jobs.job_resources import Resources
from motion324.core.jobs.job_schema import job_schema


def test_outputs_that_are_empty_do_not_count_as_done(tmp_path):
    """Such as an Alembic that a full disk left with 0 bytes and "ok": true."""
    for name, content in (("whole.abc", b"Ogawa"), ("empty.abc", b"")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "pictures").mkdir()
    lines = ["a", "b", "c"]
    with JobRecord(tmp_path / "jobs.results.jsonl", lines) as first:
        for place, name in enumerate(("whole.abc", "empty.abc", "pictures")):
            first.add(place, {"ok": True, "outputs": {"x": str(tmp_path / name)}})
    with JobRecord(tmp_path / "jobs.results.jsonl", lines) as again:
        assert [again.is_done(place) for place in range(3)] == [True, False, False]


def test_masks_and_weights_are_looked_for_beside_the_job_file(tmp_path):
    def options(**values):
        return parse_item(json.dumps({"mesh": "m", "video": "v", "options": values}), tmp_path).options

    chosen = options(mask="masks/cat", weights="small.safetensors", reconstructor="motion-transformer")
    assert (chosen.mask, chosen.weights) == (str(tmp_path / "masks/cat"), str(tmp_path / "small.safetensors"))
    assert (options(mask="plain").mask, options().weights) == ("plain", "")
    assert options(weights="/far/away.pt").weights == "/far/away.pt"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"video": "v"}', "has no 'mesh'"),
        ('{"mesh": "m", "video": "v", "outptus": {}}', "unknown field 'outptus'"),
        ('{"mesh": "m", "video": "v", "outputs": {"gif": "x"}}', "unknown output 'gif'"),
        ('{"mesh": "m", "video": "v", "keep": "POINT_CACHE"}', "no 'blend' among its outputs"),
        ('{"mesh": "m", "video": "v", "keep": "both"}', "must be SHAPE_KEYS or POINT_CACHE"),
        ('{"mesh": "m", "video": "v", "turntable": {"sides": 3}}', "turntable's option sides is not known"),
        ('{"mesh": "m", "video": "v", "vat": {"pictures": "jpg"}}', "pictures is 'jpg'; it must be one of exr, png"),
        ('{"mesh": "m", "video": "v", "outputs": {"vat": "m.exr"}}', "must end in .json"),
        (
            '{"mesh": "m", "video": "v", "keep": "RIG", "engine": {"engine": "unity"}, "outputs": {"rig": "m.glb"}}',
            "for the engine 'unity', so its output 'rig' must be there and end in .fbx",
        ),
        ('{"mesh": "m", "video": "v", "edits": {"loop": true}}', "has 'edits' of the motion, but no 'engine'"),
        ("[1, 2]", "is no JSON object"),
        ("[" * 100_000, "cannot be read as JSON: it is nested too deeply"),
        ('{"mesh": "m", "video": "v", "mesh": "n"}', "it has 'mesh' twice"),
        ('{"mesh": "m", "video": "v", "outputs": {"npz": "a.npz", "npz": "b.npz"}}', "it has 'npz' twice"),
        ('{"mesh": "m\\u0000", "video": "v"}', "has 'm.', which is no name that a file can have"),
        ('{"mesh": "m", "video": "\\ud800.mp4"}', "has '..mp4', which is no name that a file can have"),
        ('{"mesh": "m", "video": "v", "outputs": {"npz": "\\u0000.npz"}}', "has '..npz', which is no name"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(tmp_path, line, text):
    with pytest.raises(Motion324Error, match=text):
        parse_item(line, tmp_path)


SCHEMA_FILE = Path(__file__).resolve().parents[4] / "docs" / "job-file.schema.json"
GOOD = [
    {"mesh": "m.glb", "video": "v.mp4"},
    {
        "mesh": "Cat",
        "scene": "cats.blend",
        "video": "frames",
        "options": {"frames": [0, 60, 2], "smooth": "1.5", "fps": None, "mask": "masks/cat", "seed": 3},
        "keep": "RIG",
        "own_pose": True,
        "start": -10,
        "timing": "KEEP_DURATION",
        "outputs": {"blend": "a.blend", "rig": "a.FBX", "turntable": "pictures", "overlay": "a.mp4", "vat": "a.json"},
        "turntable": {"layout": "FOUR_VIEWS", "seconds": 6},
        "vat": {"pictures": "png"},
        "rig": {"bones": 12},
        "engine": {"engine": "unity"},
        "edits": {"clip": "2:10", "loop": True},
        "resources": {"cpus": 2, "gpus": 0.5, "memory": 12},
    },
]
BAD = [
    {"video": "v"},
    {"mesh": "", "video": "v"},
    {"mesh": "m", "video": "v", "outptus": {}},
    {"mesh": "m", "video": "v", "outputs": {"gif": "x"}},
    {"mesh": "m", "video": "v", "outputs": {"glb": "x.fbx"}},
    {"mesh": "m", "video": "v", "outputs": {"overlay": "x.mov"}},
    {"mesh": "m", "video": "v", "keep": "both"},
    {"mesh": "m", "video": "v", "start": "one"},
    {"mesh": "m", "video": "v", "options": {"smoth": 1}},
    {"mesh": "m", "video": "v", "options": {"smooth": -1}},
    {"mesh": "m", "video": "v", "resources": {"cpus": 0}},
    {"mesh": "m", "video": "v", "turntable": {"size": 9999}},
]


@pytest.mark.parametrize("name", ["y" * 300 + ".npz", "file/x.npz", "folder.npz"])
def test_places_that_cannot_be_written_are_told_before_any_work(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    item = json.dumps({"mesh": "m", "video": "v", "outputs": {"npz": name}})
    (line,) = read_lines([(1, item)], tmp_path)
    assert line.item is None and line.problem.code == "cannot-write" and name in line.problem.sentence


def test_a_file_whose_name_is_as_long_as_it_may_be_is_written_aside(tmp_path):
    for letter in ("x", "ö"):
        path = tmp_path / (letter * (251 // len(letter.encode())) + ".npz")
        with written_aside(path) as aside:
            aside.write_text("whole")
            assert aside.suffix == ".npz" and aside != path
        assert path.read_text() == "whole" and not aside.exists()


def test_the_schema_and_the_reader_take_and_refuse_the_same_lines(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    schema = job_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for line in GOOD:
        assert not [error.message for error in validator.iter_errors(line)]
        parse_item(json.dumps(line), tmp_path)
    for line in BAD:
        assert list(validator.iter_errors(line)), line
        with pytest.raises(Motion324Error):
            parse_item(json.dumps(line), tmp_path)


def test_the_documented_schema_is_the_present_one():
    assert json.loads(SCHEMA_FILE.read_text()) == job_schema()


def test_every_field_of_an_item_is_in_the_schema():
    fields = {field.name for field in dataclasses.fields(JobItem)} - {"folder"}
    assert set(job_schema()["properties"]) == fields


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ({"mesh": "m.glb", "outputs": {"npz": "a.npz", "pc2": "a.pc2", "overlay": "a.mp4"}}, False),
        ({"mesh": "m.obj"}, False),
        ({"mesh": "m.obj", "outputs": {"mdd": "a.mdd"}}, True),
        ({"mesh": "m.fbx", "outputs": {"npz": "a.npz"}}, True),
        ({"mesh": "Cat", "scene": "cats.blend", "outputs": {"npz": "a.npz"}}, True),
        ({"mesh": "m.glb", "outputs": {"npz": "a.npz"}, "timing": "KEEP_DURATION"}, True),
        ({"mesh": "m.glb", "outputs": {"npz": "a.npz"}, "own_pose": True}, True),
    ],
)
def test_blender_is_needed_for_what_it_alone_reads_or_writes(tmp_path, line, needs):
    assert parse_item(json.dumps({"video": "v", **line}), tmp_path).needs_blender() is needs


def test_addresses_of_this_machine_are_paths_and_others_are_for_the_batch(tmp_path):
    item = parse_item('{"mesh": "file:///a%20b/m.glb", "video": "file:///v.mp4"}', tmp_path)
    assert (item.path(item.mesh), item.path(item.video)) == (Path("/a b/m.glb"), Path("/v.mp4"))
    with pytest.raises(Motion324Error, match=r"'s3://b/v\.mp4', which only `motion324 batch`"):
        parse_item('{"mesh": "m.glb", "video": "s3://b/v.mp4"}', tmp_path)


def test_what_an_item_needs_of_a_machine_comes_of_its_options_unless_it_says_so(tmp_path):
    def found(**line):
        item = parse_item(json.dumps({"mesh": "m.glb", "video": "v", **line}), tmp_path)
        return item.resources.found(item.options, item.needs_blender())

    assert found().gpus == 0 and found().cpus == 1
    transformer = {"reconstructor": "motion-transformer"}
    assert found(options=transformer).gpus == 1 and found(options={**transformer, "device": "cpu"}).gpus == 0
    assert found(options={"device": "cuda"}).gpus == 0.25
    assert found(outputs={"fbx": "a.fbx"}).memory > found().memory
    assert found(options=transformer, resources={"gpus": 0.5, "cpus": 4}) == Resources(
        4, 0.5, found(options=transformer).memory
    )
