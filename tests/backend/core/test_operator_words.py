"""What people read when an operator of Blender's fails, in the add-on and where the backend has started Blender."""

from __future__ import annotations

import pytest

from motion324.core.inside_blender.operator_words import said_by_operator


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Error: Could not open file for writing\nLocation: /usr/share/blender/5.0/scripts/modules/bpy/ops.py:109\n",
            "Could not open file for writing",
        ),
        (
            'Error: Python: Traceback (most recent call last):\n  File "x.py", line 3, in execute\nOSError: full\n'
            "Location: ops.py:109\n",
            "OSError: full",
        ),
        ("OSError: [Errno 28] No space left on device\n", "OSError: [Errno 28] No space left on device"),
        ("", "Blender does not say why"),
    ],
)
def test_an_operator_s_error_is_told_without_the_line_of_code(said, reason):
    assert said_by_operator(RuntimeError(said)) == reason
