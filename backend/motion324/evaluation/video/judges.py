"""Judges pairs of videos; a metric that fails is left out, with its reason, and the others go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.animate_options import bad_option
from motion324.core.progress import Progress
from motion324.evaluation.video.judging_networks import ClipSimilarity, DreamSim, I3d, Lpips
from motion324.weights.metric_networks import clip_network


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """a (M, D) and b (N, D), two rows each at least -> |mean - mean|^2 + trace(A + B - 2 (A B)^(1/2)).

    The root's trace comes from eigenvalues, so that fewer rows than dimensions, which make the covariances singular, do
    no harm. T. Unterthiner et al., Towards Accurate Generative Models of Video (2018).
    """
    middle = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    product = np.linalg.eigvalsh(root @ second @ root)
    trace = np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(product, 0)).sum()
    return float(middle @ middle + max(trace, 0.0))


SIGMA, SIDE = 1.5, 11  # of the Gaussian window
K1, K2 = 0.01, 0.03
SAME = 100.0  # decibels that equal pictures get, so that means stay finite


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """a and b (H, W, 3) uint8 -> decibels, at most SAME."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return SAME if error == 0 else min(SAME, 10 * float(np.log10(255.0**2 / error)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """a and b (H, W, 3) uint8 -> structural similarity, mean over colours and all places where the window fits.

    Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, Image quality assessment (2004).
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x = _blurred(x * x) - mean_x**2
    var_y = _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * 255) ** 2, (K2 * 255) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    edge = SIDE // 2
    return float(similar[edge:-edge, edge:-edge].mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (SIDE, SIDE), SIGMA, borderType=cv2.BORDER_REFLECT))


log = logging.getLogger(__name__)

PICTURE_METRICS = ("psnr", "ssim", "lpips_vgg", "lpips_alex", "dreamsim", "clip")
FVD = {"fvd_16": 16, "fvd_32": 32}  # frames of a clip
METRICS = (*PICTURE_METRICS, *FVD)
AT_ONCE = 4  # pictures that a network sees together

PerFrame = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass
class PairScores:
    """values: by metric, one for each picture. features: by FVD's metric, both sides' rows (1, 400), clip by clip."""

    values: dict[str, list[float]] = field(default_factory=dict)
    features: dict[str, list[tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)

    def add(self, other: PairScores) -> None:
        for metric, series in other.values.items():
            self.values.setdefault(metric, []).extend(series)
        for metric, rows in other.features.items():
            self.features.setdefault(metric, []).extend(rows)


def check_video_metrics(metrics: tuple[str, ...], clip_model: str) -> None:
    """Raises Motion324Error("bad-option") for one that is not known."""
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise bad_option("video-metrics", f"has '{unknown[0]}'; known are {', '.join(METRICS)}")
    clip_network(clip_model)


class Judges:
    """The `metrics` that can run; left_out tells of the others why not. What one has found before it failed does not
    count: `kept` are those that never did."""

    def __init__(self, metrics: tuple[str, ...], weights: Path | None, device: str, clip_model: str) -> None:
        """Raises as check_video_metrics does."""
        check_video_metrics(metrics, clip_model)
        self.left_out: dict[str, str] = {}
        self._pictures: dict[str, PerFrame] = {}
        self._i3d: I3d | None = None
        self._metrics = metrics
        for metric in metrics:
            try:
                if metric in FVD:
                    self._i3d = self._i3d or I3d(weights, device)
                else:
                    self._pictures[metric] = _picture_judge(metric, weights, device, clip_model)
            except ImportError:
                self.left_out[metric] = "It needs PyTorch: install the extra 'evaluate'."
            except Exception as error:
                self._leave_out(metric, error)

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(metric for metric in self._metrics if metric not in self.left_out)

    def scores(self, true: np.ndarray, ours: np.ndarray, progress: Progress) -> PairScores:
        """true and ours (T, H, W, 3) uint8. Raises Cancelled."""
        found = PairScores()
        for metric in self.kept:
            try:
                if metric in FVD:
                    found.features[metric] = self._features(FVD[metric], true, ours, progress)
                else:
                    found.values[metric] = _by_picture(self._pictures[metric], true, ours, progress)
            except Cancelled:
                raise
            except Exception as error:
                self._leave_out(metric, error)
        return found

    def overall(self, features: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, float]:
        """FVD by metric, over all that `scores` has found."""
        found = {}
        for metric in self.kept:
            if metric not in FVD:
                continue
            rows = features.get(metric, [])
            if len(rows) < 2:
                self.left_out[metric] = f"It needs two clips of {FVD[metric]} frames at least."
                continue
            try:
                value = frechet_distance(*(np.concatenate(side) for side in zip(*rows, strict=True)))
                found[metric] = float(_finite(np.array(value)))
            except Exception as error:
                self._leave_out(metric, error)
        return found

    def _features(
        self, length: int, true: np.ndarray, ours: np.ndarray, progress: Progress
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        assert self._i3d is not None
        found = []
        for start in range(0, len(true) - length + 1, length):
            progress("videos", start, len(true))
            chosen = slice(start, start + length)
            found.append((self._i3d.scores(true[None, chosen]), self._i3d.scores(ours[None, chosen])))
        return found

    def _leave_out(self, metric: str, error: Exception) -> None:
        if isinstance(error, Motion324Error):
            self.left_out[metric] = str(error)
            return
        log.error("%s failed", metric, exc_info=error)
        lines = str(error).strip().splitlines()
        said = f": {lines[0][:300].rstrip('.')}" if lines else ""
        self.left_out[metric] = f"It failed ({type(error).__name__}{said})."


def _picture_judge(metric: str, weights: Path | None, device: str, clip_model: str) -> PerFrame:
    """Of two (B, H, W, 3) uint8 -> (B,)."""
    if metric == "dreamsim":
        return DreamSim(device).distances
    if metric == "clip":
        return ClipSimilarity(device, clip_model).similarities
    if metric.startswith("lpips_"):
        net = metric.removeprefix("lpips_")
        return Lpips(net, weights, device, spatial=net == "vgg").distances
    measure = {"psnr": psnr, "ssim": ssim}[metric]
    return lambda a, b: np.array([measure(x, y) for x, y in zip(a, b, strict=True)])


def _by_picture(judge: PerFrame, true: np.ndarray, ours: np.ndarray, progress: Progress) -> list[float]:
    found: list[float] = []
    for start in range(0, len(true), AT_ONCE):
        progress("videos", start, len(true))
        chosen = slice(start, start + AT_ONCE)
        found.extend(_finite(judge(true[chosen], ours[chosen])).tolist())
    return found


def _finite(values: np.ndarray) -> np.ndarray:
    """The same values. Raises ValueError."""
    if not np.isfinite(values).all():
        raise ValueError("it gave no finite number")
    return values
