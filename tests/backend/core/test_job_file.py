"""What a line of a job file may say, and when its earlier result still counts."""

from __future__ import annotations

import json

import pytest

from motion324.core.errors import Motion324Error
from motion324.core.job_item import parse_item
from motion324.core.job_record import JobRecord


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
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(tmp_path, line, text):
    with pytest.raises(Motion324Error, match=text):
        parse_item(line, tmp_path)
