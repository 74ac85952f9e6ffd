"""How near a reconstructor comes to the truth, everything found automatically. Prints one table.

    python benchmarks/clips_with_truth.py [--release DIR] [--clips NAME,NAME] [--workers 2] [--quality draft]
        [--reconstructor NAME] [--weights FILE] [--keep DIR]

DIR is a benchmark in Motion80's release layout (glbs/, videos/, pcds/). Each clip's mesh and video go through
motion324.pipeline.animate.animate as a user's would: no mask, no camera and no truth is given to it. Measured as the
release's README describes: first-frame bounding box to longest side 2, no alignment (the prediction starts from the
given mesh), 20,000 seeded surface samples a side. `still` is the mesh held still. Lower is better for ratios, higher
for F.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DEFAULT_RELEASE = Path(__file__).parents[2] / "shared" / "bench" / "dev"
SAMPLES = 20_000
THRESHOLD = 0.02


@dataclass(frozen=True)
class Row:
    """error: mean vertex error; chamfer; f: F-score; each of the result and of the still mesh."""

    name: str
    error: float
    still_error: float
    chamfer: float
    still_chamfer: float
    f: float
    still_f: float
    seconds_per_frame: float
    mask_seconds_per_frame: float
    peak_memory_gb: float
    overlap: float
    vertices: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, default=DEFAULT_RELEASE)
    parser.add_argument("--clips", help="names, separated by commas; default: all")
    parser.add_argument("--workers", type=int, default=1, help="clips at a time; 1 gives honest seconds")
    parser.add_argument("--reconstructor", default="auto")
    parser.add_argument("--weights", default="", help="of the reconstructor, where it takes a file")
    parser.add_argument("--quality", default="standard", help="draft, standard or fine")
    parser.add_argument("--keep", type=Path, help="leave each clip's result and overlay there")
    arguments = parser.parse_args()
    if not arguments.release.is_dir():
        print(f"No benchmark at {arguments.release}: nothing measured.")
        return 0
    names = arguments.clips.split(",") if arguments.clips else clip_names(arguments.release)
    options = {"reconstructor": arguments.reconstructor, "quality": arguments.quality, "weights": arguments.weights}
    jobs = [(arguments.release, name, options, arguments.keep) for name in names]
    print(f"{'clip':24s} {'error/still':>11s} {'CD/still':>9s} {'F':>6s} {'still F':>8s} {'overlap':>8s} "
          f"{'s/frame':>8s} {'masks':>6s} {'GB':>5s} {'vertices':>9s}")  # fmt: skip
    rows = []
    with multiprocessing.get_context("spawn").Pool(arguments.workers, maxtasksperchild=1) as pool:
        for row in pool.imap(measure, jobs):
            rows.append(row)
            print_row(row)
    print_means(rows)
    return 0


def clip_names(release: Path) -> list[str]:
    lists = [release / "short_videos.txt", release / "long_videos.txt"]
    return [name for path in lists if path.exists() for name in path.read_text().split()]


def measure(job: tuple[Path, str, dict[str, str], Path | None]) -> Row:
    from motion324.core.options.animate_options import AnimateOptions
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate
    from motion324.trajectories.result_files import KeepOptions

    release, name, options, keep = job
    mesh = read_mesh(release / "glbs" / f"{name}.glb")
    started = time.perf_counter()
    result = animate(
        mesh,
        release / "videos" / f"{name}.mp4",
        AnimateOptions(**options),
        keep=KeepOptions(folder=keep / name, overlay=True) if keep else None,
    )
    seconds = time.perf_counter() - started
    folder = release / "pcds" / f"{name}_pointclouds"
    truth = np.stack([np.load(path) for path in sorted(folder.glob("frame_*.npy"))])
    scale = 2.0 / float(np.ptp(truth[0], axis=0).max())
    truth, predicted = truth * scale, result.positions * scale
    still = np.broadcast_to(predicted[:1], predicted.shape)
    chamfer, f = surface_scores(truth, predicted, mesh.faces)
    still_chamfer, still_f = surface_scores(truth, still, mesh.faces)
    return Row(
        name, vertex_error(truth, predicted), vertex_error(truth, still), chamfer, still_chamfer, f, still_f,
        seconds / len(truth), result.report["seconds"].get("foreground", 0.0) / len(truth),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, result.report["silhouette_overlap"], truth.shape[1],
    )  # fmt: skip


def vertex_error(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean distance of corresponding vertices over all frames; both (T, N, 3)."""
    return float(np.linalg.norm(predicted - truth, axis=2).mean())


def surface_scores(truth: np.ndarray, predicted: np.ndarray, faces: np.ndarray) -> tuple[float, float]:
    """Chamfer distance (sum of both mean unsquared distances) and F-score at THRESHOLD, means over frames."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    chamfer, f = [], []
    for a, b in zip(truth, predicted, strict=True):
        p, q = surface_points(a, faces, rng), surface_points(b, faces, rng)
        there, back = cKDTree(q).query(p)[0], cKDTree(p).query(q)[0]
        recall, precision = float((there < THRESHOLD).mean()), float((back < THRESHOLD).mean())
        chamfer.append(float(there.mean() + back.mean()))
        f.append(2 * precision * recall / max(precision + recall, 1e-9))
    return float(np.mean(chamfer)), float(np.mean(f))


def surface_points(positions: np.ndarray, faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(SAMPLES, 3) points spread by area."""
    corners = positions[faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(faces), SAMPLES, p=area / area.sum())
    u, v = rng.random((2, SAMPLES, 1))
    root = np.sqrt(u)
    a, b, c = corners[face, 0], corners[face, 1], corners[face, 2]
    return (1 - root) * a + root * (1 - v) * b + root * v * c


def print_row(row: Row) -> None:
    print(f"{row.name:24s} {row.error / row.still_error:11.3f} {row.chamfer / row.still_chamfer:9.3f} {row.f:6.3f} "
          f"{row.still_f:8.3f} {row.overlap:8.3f} {row.seconds_per_frame:8.2f} {row.mask_seconds_per_frame:6.2f} "
          f"{row.peak_memory_gb:5.2f} {row.vertices:9d}", flush=True)  # fmt: skip


def print_means(rows: list[Row]) -> None:
    ratios = np.array([[row.error / row.still_error, row.chamfer / row.still_chamfer] for row in rows])
    better = sum(row.f > row.still_f for row in rows)
    print(f"{'mean of ' + str(len(rows)):24s} {ratios[:, 0].mean():11.3f} {ratios[:, 1].mean():9.3f} "
          f"{np.mean([r.f for r in rows]):6.3f} {np.mean([r.still_f for r in rows]):8.3f}")  # fmt: skip
    means = {"mean_CD_over_mean_still_CD": sum(r.chamfer for r in rows) / sum(r.still_chamfer for r in rows)}
    print(f"F above the still mesh's on {better} of {len(rows)}; {json.dumps(means)}")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
