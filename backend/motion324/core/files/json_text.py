"""Reads JSON that people or other programs wrote: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """Raises ValueError that says what is wrong: also for what is nested too deeply, and for a name that an object has
    twice, of which two readers could take different values."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"it has '{name[:80]}' twice in one place")
        values[name] = value
    return values
