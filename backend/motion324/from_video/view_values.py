"""A camera as plain JSON values, as a stage's manifest keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion324.core.view import View


def plain_view(view: View | None) -> dict[str, Any] | None:
    """JSON values, for view_of; None stays None."""
    if view is None:
        return None
    return {
        "rotation": np.asarray(view.rotation, float).tolist(),
        "translation": np.asarray(view.translation, float).tolist(),
        "focal": float(view.focal),
        "centre": [float(value) for value in view.centre],
    }


def view_of(values: dict[str, Any]) -> View:
    """The camera that plain_view has told."""
    centre = values["centre"]
    rotation, translation = np.array(values["rotation"]), np.array(values["translation"])
    return View(rotation, translation, values["focal"], (centre[0], centre[1]))
