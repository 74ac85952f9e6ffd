"""Turns and moves bones so that a skinned mesh meets a trajectory: nonlinear least squares, many frames at once.

The steps are Gauss and Newton's with Levenberg and Marquardt's damping (Nocedal and Wright, "Numerical Optimization",
chapter 10). Derivatives are those of twists (Murray, Li and Sastry, "A Mathematical Introduction to Robotic
Manipulation", chapter 3): every bone's twist has a gradient and every pair of bones a block of the Hessian, from
the sums over vertices alone (motion324.rigging.skinning); a parent's are the sums of its children's.

T frames, J bones, U units of three unknowns each (motion324.rigging.freedom).
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from motion324.rigging.freedom import Freedom
from motion324.rigging.hessian import meeting_pairs, plain_hessians
from motion324.rigging.kinematics import Chain, Placed, Poses
from motion324.rigging.skinning import stacked

if importlib.util.find_spec("numba"):
    from numba import get_num_threads
    from threadpoolctl import threadpool_limits

    from motion324.rigging.hessian_kernel import compiled_hessians as hessians
else:  # the add-on's side, where nobody waits for it but tests
    hessians = plain_hessians

    def get_num_threads() -> int:
        return 1

    def threadpool_limits(limits: int, user_api: str) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


MOST_STEPS = 30
LEAST_GAIN = 1e-7  # of a frame's error: a step that gains less is the last one
FIRST_DAMPING = 1e-3  # of the Hessian's diagonal
MOST_DAMPING = 1e4
BATCH_BYTES = 192 << 20  # of the Hessians' blocks of a batch of frames
PATIENCE = 0.1  # seconds between two looks at whether it is to stop


@dataclass(frozen=True)
class Prior:
    """Draws poses to others. weights (U,): of a unit's squared distance, beside squared distances of vertices."""

    targets: Poses
    weights: np.ndarray


@dataclass(frozen=True)
class Sums:
    """What is known of the vertices: gram (4J, 4J), pulls (T, 4J, 3) and squares (T,), see `skinning.Basis`."""

    gram: np.ndarray
    pulls: np.ndarray
    squares: np.ndarray

    def of(self, frames: np.ndarray) -> Sums:
        return Sums(self.gram, self.pulls[frames], self.squares[frames])


def fit_poses(
    chain: Chain,
    freedom: Freedom,
    sums: Sums,
    start: Poses,
    prior: Prior,
    report: Callable[[int], None],
    most_steps: int = MOST_STEPS,
) -> Poses:
    """The poses (T frames) of the least error, from `start` on. report(done) tells how many frames are done."""
    pairs = meeting_pairs(sums.gram, chain.armature.count)
    count, threads = len(start.rotation), get_num_threads()
    most = max(1, BATCH_BYTES // (8 * freedom.twist**2 * max(len(freedom.units), chain.armature.count) ** 2))
    size = min(most, -(-count // threads))
    parts = [np.arange(first, min(first + size, count)) for first in range(0, count, size)]
    done, stop = np.zeros(len(parts), int), threading.Event()

    def fit(place: int) -> Poses:
        frames = parts[place]
        batch = _Batch(chain, freedom, sums.of(frames), Prior(prior.targets.of(frames), prior.weights), pairs)

        def look(ready: int) -> bool:
            done[place] = ready
            return stop.is_set()

        return batch.fit(start.of(frames), most_steps, look)

    poses = start.copy()
    # Several BLAS threads wait for each other on systems as small as these.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        fitted = [pool.submit(fit, place) for place in range(len(parts))]
        try:
            report(0)
            while wait(fitted, PATIENCE).not_done:
                report(int(done.sum()))
        except BaseException:
            stop.set()
            raise
        for frames, each in zip(parts, fitted, strict=True):
            poses.put(frames, each.result())
    report(count)
    return poses


class _Batch:
    def __init__(
        self, chain: Chain, freedom: Freedom, sums: Sums, prior: Prior, pairs: tuple[np.ndarray, np.ndarray]
    ) -> None:
        self._chain = chain
        self._freedom = freedom
        self._sums = sums
        self._prior = prior
        self._pairs = pairs

    def fit(self, poses: Poses, most_steps: int, look: Callable[[int], bool]) -> Poses:
        """look(ready), of how many frames are done, says whether to stop before the end."""
        poses = poses.copy()
        total = len(poses.rotation)
        energy = self._energies(poses, np.arange(total))
        damping = np.full(total, FIRST_DAMPING)
        going = np.arange(total)
        for _ in range(most_steps):
            if not len(going) or look(total - len(going)):
                break
            now = poses.of(going)
            tried = self._freedom.stepped(now, self._step(now, going, damping[going]))
            after = self._energies(tried, going)
            better = after < energy[going]
            gain = (energy[going] - after) / np.maximum(energy[going], 1e-30)
            poses.put(going[better], tried.of(better))
            energy[going[better]] = after[better]
            damping[going] *= np.where(better, 0.1, 10.0)
            damping = np.maximum(damping, 1e-9)
            done = (better & (gain < LEAST_GAIN)) | (~better & (damping[going] > MOST_DAMPING)) | (energy[going] <= 0)
            going = going[~done]
        return poses

    def _step(self, poses: Poses, frames: np.ndarray, damping: np.ndarray) -> np.ndarray:
        """(T, U, 3): Gauss and Newton's, damped."""
        placed = self._chain.place(poses)
        maps = self._chain.skinning(placed)
        screws = self._freedom.screws(poses, placed)
        pull = self._freedom.apart(poses, self._prior.targets.of(frames))
        gradient = self._gradient(placed, maps, frames)[:, self._freedom.units]
        downhill = -np.einsum("tusa,tus->tua", screws, gradient) + self._prior.weights[:, None] * pull
        system = hessians(self._chain, placed, maps, screws, self._sums.gram, self._pairs, self._freedom.units)
        count = system.shape[1]
        diagonal = np.arange(count)
        system[:, diagonal, diagonal] += np.repeat(self._prior.weights, 3)
        least = 1e-12 * self._sums.gram[3::4, 3::4].max()
        system[:, diagonal, diagonal] += damping[:, None] * (system[:, diagonal, diagonal] + least)
        blocked = self._freedom.blocked(poses, downhill).reshape(len(frames), count)
        right = np.where(blocked, 0.0, downhill.reshape(len(frames), count))
        if blocked.any():
            system *= ~(blocked[:, :, None] | blocked[:, None, :])
            system[:, diagonal, diagonal] += blocked
        return np.linalg.solve(system, right[..., None])[..., 0].reshape(len(frames), -1, 3)

    def _gradient(self, placed: Placed, maps: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """(T, J, 6 or 7): by the bones' twists, children included."""
        joints = self._chain.armature.count
        residual = (self._sums.gram @ stacked(maps) - self._sums.pulls[frames]).reshape(len(frames), joints, 4, 3)
        moment = maps @ residual  # (T, J, 3, 3): weighted places times residuals
        turn = [moment[..., a, b] - moment[..., b, a] for a, b in ((1, 2), (2, 0), (0, 1))]
        grow = np.trace(moment, axis1=-2, axis2=-1)[..., None]
        gradient = np.concatenate([np.stack(turn, axis=-1), residual[:, :, 3], grow], axis=-1)
        gradient = gradient[..., : self._freedom.twist]
        return self._chain.fold(gradient, placed, 1)

    def _energies(self, poses: Poses, frames: np.ndarray) -> np.ndarray:
        """(T,): half of the squared distances, and what the prior adds."""
        maps = stacked(self._chain.skinning(self._chain.place(poses)))
        # Written as one product, whose terms are small where the fit is good.
        inner = maps * (self._sums.gram @ maps - 2 * self._sums.pulls[frames])
        data = inner.sum(axis=(1, 2)) + self._sums.squares[frames]
        apart = np.square(self._freedom.apart(poses, self._prior.targets.of(frames))).sum(axis=2)
        return 0.5 * (np.maximum(data, 0.0) + apart @ self._prior.weights)
