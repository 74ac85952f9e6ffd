"""What processes that were killed while they wrote have left is known by its name, and nothing else is taken away."""

from __future__ import annotations

import pytest

from motion324.core.write_aside import remove_unfinished, written_aside


@pytest.mark.parametrize("name", ["fox.npz", "fox", "a.b.npz", "f" * 250 + ".npz", "ä" * 120 + ".npz"])
def test_unfinished_files_are_taken_away_whatever_their_name_is(tmp_path, name):
    path = tmp_path / name
    with written_aside(path) as aside:
        aside.write_bytes(b"whole")
        left = aside.name
    (tmp_path / left).write_bytes(b"half")
    others = [
        ".other.12.unfinished.npz",
        ".fox.12.unfinished.glb",
        f"{name[:20]}.12.unfinished",
        ".fox.x.unfinished.npz",
    ]
    for other in others:
        (tmp_path / other).touch()
    remove_unfinished(tmp_path, {path})
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, *others])
    assert path.read_bytes() == b"whole"
