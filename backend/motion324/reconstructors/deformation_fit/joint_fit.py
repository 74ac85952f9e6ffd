"""Refines frames together: image, silhouettes and rigidity of each, tied by smoothness in time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import cho_factor

from motion324.core.side_by_side import side_by_side
from motion324.reconstructors.deformation_fit.fit_problem import Pose
from motion324.reconstructors.deformation_fit.frame_fit import FrameFit
from motion324.reconstructors.deformation_fit.normal_equations import mirror, rotated, solved
from motion324.reconstructors.deformation_fit.observations import Observation

WINDOW = 24  # frames refined at once: memory grows with it
OVERLAP = 4  # frames that a window takes over, fixed, from the one before it
CG_ITERATIONS = 40
CG_TOLERANCE = 1e-3


def fit_jointly(
    fit: FrameFit, poses: list[Pose], check: Callable[[int, int], None]
) -> Iterator[tuple[int, list[Pose]]]:
    """Refines all poses, window after window -> (first frame, refined poses); frame 0 stays as it is.

    check(done, total) is called for every frame of every step.
    """
    poses = list(poses)
    yield 0, poses[:1]
    start = 1
    while start < len(poses):
        stop = min(start + WINDOW, len(poses))
        if len(poses) - stop < WINDOW // 4:
            stop = len(poses)
        fixed = min(OVERLAP, start)

        def report(part: float, start: int = start, stop: int = stop) -> None:
            check(start + int(part * (stop - start)), len(poses))

        _fit_window(fit, poses, start - fixed, start, stop, report)
        yield start, poses[start:stop]
        start = stop
    check(len(poses), len(poses))


def _counted(report: Callable[[float], None], done: int, steps: int) -> Callable[[int], None]:
    """Reports how many of the steps are over when so many have come after those that were done before."""
    return lambda more: report((done + more) / steps)


def _fit_window(
    fit: FrameFit, poses: list[Pose], known: int, start: int, stop: int, report: Callable[[float], None]
) -> None:
    """Changes poses[start:stop]; poses[known:start] tie them to what is already done."""
    s = fit.settings
    count = stop - start
    steps = s.joint_rounds * (1 + s.joint_steps) * count
    done = 0
    for _ in range(s.joint_rounds):
        seen = _looked(fit, poses, start, stop, _counted(report, done, steps))
        done += count
        for _ in range(s.joint_steps):
            hessians, gradients = _equations(fit, poses[start:stop], start, seen, _counted(report, done, steps))
            done += count
            change = _solve(
                hessians,
                gradients,
                np.stack([pose.translations for pose in poses[known:stop]]),
                s.joint_smooth / len(poses[0].translations),
                functools.partial(report, done / steps),
            )
            for k in range(count):
                step = change[k].reshape(-1, 6)
                pose = poses[start + k]
                poses[start + k] = Pose(rotated(pose.rotations, step[:, :3]), pose.translations + step[:, 3:])


def _looked(fit: FrameFit, poses: list[Pose], start: int, stop: int, tell: Callable[[int], None]) -> list[Observation]:
    """What the frames start .. stop - 1 say in these poses of all frames."""
    near = range(max(start - 1, 0), min(stop + 1, len(poses)))
    surfaces = {t: fit.problem.posed(poses[t]) for t in near}
    drawn = list(surfaces.values())

    def draw(k: int) -> None:
        drawn[k].raster  # noqa: B018  kept by it: each is drawn once, though three frames look at it

    side_by_side(len(drawn), draw, lambda done: tell(0))
    seen: list[Observation | None] = [None] * (stop - start)

    def look(k: int) -> None:
        seen[k] = fit.observe(start + k, surfaces)

    side_by_side(len(seen), look, tell)
    return [observation for observation in seen if observation is not None]


def _equations(
    fit: FrameFit, poses: list[Pose], start: int, seen: list[Observation], tell: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each of these frames by itself, `start` the first: (T, 6K, 6K) and (T, 6K)."""
    size = 6 * len(poses[0].translations)
    hessians, gradients = np.empty((len(poses), size, size)), np.empty((len(poses), size))

    def make(k: int) -> None:
        surface = fit.problem.posed(poses[k])
        hessians[k], gradients[k] = fit.equations(start + k, surface, surface, seen[k])
        mirror(hessians[k])

    side_by_side(len(poses), make, tell)
    return hessians, gradients


def _solve(
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
    right[:, moving] -= weight * _acceleration_gradient(translations.reshape(len(translations), -1))[fixed:]
    still = np.zeros((fixed, size // 2))

    def times(x: np.ndarray) -> np.ndarray:
        y = np.matmul(blocks, x[:, :, None])[:, :, 0]
        y[:, moving] += weight * _acceleration_gradient(np.concatenate([still, x[:, moving]]))[fixed:]
        return y

    factors: dict[int, np.ndarray] = {}

    def factor(k: int) -> None:
        own = blocks[k].astype(np.float32)  # exact enough to precondition with
        own[diagonal[moving], diagonal[moving]] += 6 * weight
        factors[k] = cho_factor(own, lower=True, overwrite_a=True, check_finite=False)[0]

    side_by_side(len(blocks), factor, lambda done: check())

    def precondition(r: np.ndarray) -> np.ndarray:
        return np.stack([solved(factors[k], row) for k, row in enumerate(r)]).astype(np.float64)

    x = np.zeros_like(right)
    residual = right
    z = precondition(residual)
    direction = z.copy()
    product = first = float((residual * z).sum())
    for _ in range(CG_ITERATIONS):
        check()
        if product <= CG_TOLERANCE**2 * first or product <= 0.0:
            break
        carried = times(direction)
        step = product / float((direction * carried).sum())
        x += step * direction
        residual = residual - step * carried
        z = precondition(residual)
        product, previous = float((residual * z).sum()), product
        direction = z + (product / previous) * direction
    return x


def _acceleration_gradient(x: np.ndarray) -> np.ndarray:
    """Gradient (T, n) of half the sum of squared second differences of x (T, n)."""
    out = np.zeros_like(x)
    if len(x) < 3:
        return out
    second = x[:-2] - 2 * x[1:-1] + x[2:]
    out[:-2] += second
    out[1:-1] -= 2 * second
    out[2:] += second
    return out
