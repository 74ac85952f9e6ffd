"""Draws what was found in a clip over the frames as they are, where the camera's motion was taken off them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motion324.core.view import View


def similarities(to_first: np.ndarray, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """The nearest similarities, from the first frame's picture to each frame's, as two complex arrays (T,): turn and
    growth a, and shift b; a point x + iy of the first frame lies at a (x + iy) + b.

    to_first (T, 3, 3): homographies of each frame's picture to the first one's, in units of the picture's height.
    aspect: the picture's width over its height.
    """
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 5) * aspect, np.linspace(0.1, 0.9, 5))
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    mapped = np.linalg.inv(to_first) @ points
    there = (mapped[:, 0] + 1j * mapped[:, 1]) / mapped[:, 2]
    here = (points[0] + 1j * points[1])[None]
    middle, others = here.mean(), there.mean(axis=1)
    offset = here - middle
    grown = (np.conj(offset) * (there - others[:, None])).sum(axis=1) / (np.abs(offset) ** 2).sum()
    return grown, others - grown * middle


def moved_view(view: View, grown: complex, shift: complex, aspect: float) -> View:
    """The camera that sees at a z + b what `view` sees at z, exactly: it turns about its axis, zooms, and its picture's
    centre moves. grown, shift: a and b of `similarities`."""
    turn = grown / abs(grown)
    about = np.array([[turn.real, -turn.imag, 0.0], [turn.imag, turn.real, 0.0], [0.0, 0.0, 1.0]])
    centre = grown * (view.centre[0] * aspect + 1j * view.centre[1]) + shift
    return replace(
        view,
        rotation=about @ view.rotation,
        translation=about @ view.translation,
        focal=float(view.focal * abs(grown)),
        centre=(float(centre.real / aspect), float(centre.imag)),
    )
