"""Describes the ways to score: what is aligned, sampled and measured, and what to mind about it."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.errors import EXIT_USAGE, Motion324Error

ALIGNMENTS = ("none", "icp")


@dataclass(frozen=True)
class Protocol:
    """alignment: one of ALIGNMENTS, or "published", or "rigid" (ICP that keeps the scale).
    samples: points on each surface. thresholds: of F-scores.
    columns: metrics that a table shows. notes: said with every result.
    """

    name: str
    title: str
    alignment: str
    samples: int
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


_NORMALISED = "Each side is centred and scaled by its own first frame's bounding box to a longest side of 2."

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "motion80",
            "Motion80's measures, with the alignment made right",
            "icp",
            50_000,
            (0.02, 0.01, 0.05),
            ("chamfer", "f_0.02", "surface_distance", "vertex_error", "vertex_error_ratio", "trajectory_error_ratio",
             "jitter_ratio", "stretch", "self_intersection"),
            (_NORMALISED, "Every frame and side draws its own samples."),
        ),
        Protocol(
            "motion80-published",
            "Motion80's published script, with its faults",
            "published",
            50_000,
            (0.02,),
            ("chamfer", "f_0.02"),
            (
                "This reproduces the published script, for comparison with its table only: its alignment composes "
                "rotations in the wrong order, fixes the scale by the bounding boxes' x and y sides, and starts from "
                "one pose; a prediction with fewer frames is scored on those, one with more against the truth's last.",
                _NORMALISED,
                "Unlike the script it draws its samples with a seed, takes all meshes of a file, not the first one "
                "only, and expects .npy frames Y up, not turned.",
            ),
        ),
        Protocol(
            "actionbench",
            "ActionMesh's CD-3D, CD-4D and CD-M",
            "rigid",
            100_000,
            (),
            ("cd_3d", "cd_4d", "cd_m", "cd_3d_plain", "cd_4d_plain", "cd_m_plain"),
            (
                "CD-3D, CD-4D and CD-M are squared distances after a rigid alignment, as the paper defines them; the "
                "columns named plain are unsquared, as the authors' script and leaderboard have them, which also "
                "fits a scale along each axis.",
                _NORMALISED,
            ),
        ),
    )
}  # fmt: skip
DEFAULT = "motion80"


def get_protocol(name: str) -> Protocol:
    """Raises Motion324Error("bad-option")."""
    if name not in PROTOCOLS:
        raise Motion324Error(
            "bad-option",
            f"The protocol '{name}' is not known.",
            f"Choose {', '.join(PROTOCOLS)}.",
            EXIT_USAGE,
        )
    return PROTOCOLS[name]
