"""Solves the equations of frames that are refined together: each frame's own, tied by smoothness in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motion324.core.processes.side_by_side import side_by_side
from motion324.reconstructors.deformation_fit.fit_problem import FitSettings, Pose
from motion324.reconstructors.deformation_fit.normal_equations import factored, solved

CG_ITERATIONS = 40
CG_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Window:
    """Poses of frames one after the other; the first `fixed` of them stay as they are. start: the first free frame."""

    poses: list[Pose]
    fixed: int
    start: int

    @property
    def free(self) -> list[Pose]:
        return self.poses[self.fixed :]

    @property
    def translations(self) -> np.ndarray:
        """(T', K, 3), of the fixed ones, too."""
        return np.stack([pose.translations for pose in self.poses])

    def smooth(self, settings: FitSettings) -> float:
        """The weight of a node's acceleration."""
        return settings.joint_smooth / len(self.poses[0].translations)


def solve(
    blocks: np.ndarray, gradients: np.ndarray, translations: np.ndarray, weight: float, check: Callable[[], None]
) -> np.ndarray:
    """Conjugate gradients on all free frames' unknowns (T, 6K), each frame's own Cholesky factor before them.

    blocks (T, 6K, 6K), which it changes, and gradients (T, 6K): of each free frame by itself.
    translations (T', K, 3), T' >= T: of the free frames, and of fixed ones before them.
    """
    size = blocks.shape[1]
    fixed = len(translations) - len(blocks)
    diagonal = np.arange(size)
    blocks[:, diagonal, diagonal] += 1e-6 + 1e-4 * blocks[:, diagonal, diagonal]
    moving = diagonal % 6 >= 3
    right = -gradients
    right[:, moving] -= weight * acceleration_gradient(translations.reshape(len(translations), -1))[fixed:]
    still = np.zeros((fixed, size // 2))

    def times(x: np.ndarray) -> np.ndarray:
        y = np.matmul(blocks, x[:, :, None])[:, :, 0]
        y[:, moving] += weight * acceleration_gradient(np.concatenate([still, x[:, moving]]))[fixed:]
        return y

    factors: dict[int, np.ndarray] = {}

    def factor(k: int) -> None:
        own = blocks[k].astype(np.float32)  # exact enough to precondition with
        own[diagonal[moving], diagonal[moving]] += 6 * weight
        factors[k] = factored(own)

    side_by_side(len(blocks), factor, lambda done: check())

    def precondition(r: np.ndarray) -> np.ndarray:
        return np.stack([solved(factors[k], row) for k, row in enumerate(r)]).astype(np.float64)

    return conjugate_gradients(right, times, precondition, check)


def conjugate_gradients(right, times, precondition, check: Callable[[], None]):
    """x of times(x) = right, arrays or tensors. precondition: nearly the inverse of `times`."""
    x = right * 0
    residual = right
    z = precondition(residual)
    direction = z
    product = first = float((residual * z).sum())
    for _ in range(CG_ITERATIONS):
        check()
        if product <= CG_TOLERANCE**2 * first or product <= 0.0:
            break
        carried = times(direction)
        step = product / float((direction * carried).sum())
        x = x + step * direction
        residual = residual - step * carried
        z = precondition(residual)
        product, previous = float((residual * z).sum()), product
        direction = z + (product / previous) * direction
    return x


def acceleration_gradient(x):
    """Gradient (T, n) of half the sum of squared second differences of x (T, n), an array or a tensor."""
    out = x * 0
    if len(x) < 3:
        return out
    second = x[:-2] - 2 * x[1:-1] + x[2:]
    out[:-2] += second
    out[1:-1] -= 2 * second
    out[2:] += second
    return out
