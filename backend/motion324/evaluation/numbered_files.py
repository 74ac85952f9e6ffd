"""Files that hold one frame each, in the order of the numbers in their names."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from motion324.evaluation.mesh_sequence import bad_sequence


def numbered_files(folder: Path, pattern: str) -> list[Path]:
    """The files that fit `pattern`, such as "frame_*.npy", by their number: 0, 1, 2, ..., leading zeros or not.

    Raises Motion324Error: sequence-empty, sequence-unreadable (a name without a number, or a number twice),
    sequence-frame-missing.
    """
    prefix = pattern.partition("*")[0]
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(pattern)):
        text = path.stem.removeprefix(prefix)
        if not text.isdecimal():
            raise bad_sequence("sequence-unreadable", f"'{path}' has no number in its name.")
        if (twin := found.setdefault(int(text), path)) != path:
            raise bad_sequence("sequence-unreadable", f"'{twin}' and '{path}' are both frame {int(text)}.")
    if not found:
        raise bad_sequence("sequence-empty", f"The folder '{folder}' holds no {pattern.replace('*', 'XXXX')}.")
    frames = max(found) + 1
    if missing := frames - len(found):
        first = next(number for number in count() if number not in found)
        others = f", nor {missing - 1} more of them." if missing > 1 else "."
        raise bad_sequence("sequence-frame-missing", f"'{folder}' has no frame {first} of its {frames} frames{others}")
    return [found[number] for number in sorted(found)]
