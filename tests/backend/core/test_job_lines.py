"""Lists of jobs are read whatever editor wrote them, or say what is wrong with the file."""

from __future__ import annotations

import pytest

from motion324.core.input_files import numbered_lines


def test_lines_keep_their_numbers_and_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n# a comment\r\n  {"b": "\xe2\x80\xa8"}  ')
    assert numbered_lines(path) == [(1, '{"a": 1}'), (4, '{"b": "\u2028"}')]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"a": 1}'.encode("utf-16"), "it is written in UTF-16; save it as UTF-8"),
        ("\ufeff{}".encode("utf-16-be"), "it is written in UTF-16; save it as UTF-8"),
        ("\ufeff{}".encode("utf-32-le"), "it is written in UTF-32; save it as UTF-8"),
        ('{}\n{"mesh": "füchse"}'.encode("latin-1"), "line 2 is not UTF-8; save it as UTF-8"),
    ],
)
def test_another_encoding_is_named(tmp_path, data, why):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=why):
        numbered_lines(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="it cannot be read: No such file"):
        numbered_lines(tmp_path / "lost.jsonl")
