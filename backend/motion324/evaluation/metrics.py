"""Lists what is measured: names, words for people, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """title: for tables. meaning: one line. higher: whether a higher value is better; None where nearer to the truth's
    own value is."""

    title: str
    meaning: str
    higher: bool | None = False


METRICS: dict[str, Metric] = {
    "chamfer": Metric("CD", "sum of both mean nearest distances between sampled surfaces, unsquared"),
    "f_0.01": Metric("F 0.01", "F-score at 0.01", True),
    "f_0.02": Metric("F 0.02", "F-score at 0.02", True),
    "f_0.05": Metric("F 0.05", "F-score at 0.05", True),
    "surface_accuracy": Metric("pred to surf", "mean distance of predicted points from the true surface"),
    "surface_completeness": Metric("true to surf", "mean distance of true points from the predicted surface"),
    "surface_distance": Metric("surface", "sum of both mean distances from points to the other surface"),
    "vertex_error": Metric("vertex error", "mean distance of corresponding vertices"),
    "vertex_error_ratio": Metric("error/still", "vertex error over that of the true first frame held still"),
    "trajectory_error": Metric("trajectory", "mean distance of the vertices' ways since the first frame"),
    "trajectory_error_ratio": Metric("traj./still", "trajectory error over that of a mesh that does not move"),
    "jitter": Metric("jitter", "mean acceleration over the surface, per frame squared", None),
    "jitter_ratio": Metric("jitter/true", "jitter over the truth's: 1 is as smooth as the truth", None),
    "stretch": Metric("stretch", "change of the edges' lengths since the first frame, over their lengths", None),
    "stretch_ratio": Metric("stretch/true", "stretch over the truth's", None),
    "self_intersection": Metric("cuts itself", "share of triangles that cut another one, of twelve frames at the most"),
    "self_intersection_truth": Metric("truth's cuts", "the same share of the truth", None),
    "cd_3d": Metric("CD-3D", "squared Chamfer distance, each frame aligned rigidly by itself"),
    "cd_4d": Metric("CD-4D", "squared Chamfer distance, aligned rigidly by the first frame"),
    "cd_m": Metric("CD-M", "squared distance of points paired in the first frame, aligned by it"),
    "cd_3d_plain": Metric("CD-3D plain", "CD-3D by plain distances, as the authors' script takes them"),
    "cd_4d_plain": Metric("CD-4D plain", "CD-4D by plain distances"),
    "cd_m_plain": Metric("CD-M plain", "CD-M by plain distances"),
    "chamfer_floor": Metric("CD floor", "CD of the truth's first frame from itself: what sampling alone makes", None),
    "psnr": Metric("PSNR", "of the renders, in decibels, at most 100", True),
    "ssim": Metric("SSIM", "structural similarity of the renders", True),
    "lpips_vgg": Metric("LPIPS VGG", "perceptual distance of the renders by VGG-16, spatial"),
    "lpips_alex": Metric("LPIPS Alex", "perceptual distance of the renders by AlexNet"),
    "dreamsim": Metric("DreamSim", "perceptual distance of the renders by DreamSim"),
    "clip": Metric("CLIP", "cosine of the renders' CLIP embeddings", True),
    "fvd_16": Metric("FVD 16", "Frechet distance of I3D's scores of clips of 16 frames"),
    "fvd_32": Metric("FVD 32", "Frechet distance of I3D's scores of clips of 32 frames"),
}
