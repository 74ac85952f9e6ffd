"""Describes the ways to score: what is aligned, sampled and measured, and what to mind about it."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.errors import EXIT_USAGE, Motion324Error

ALIGNMENTS = ("none", "icp")


@dataclass(frozen=True)
class Protocol:
    """alignment: one of ALIGNMENTS, or "published", or "rigid" (ICP that keeps the scale).
    samples: points on each surface. thresholds: of F-scores.
    columns: metrics that a table shows. notes: said with every result. turn: degrees about X by which predictions are
    turned first. towards_truth: whether the published alignment moves the prediction, or the truth.
    """

    name: str
    title: str
    alignment: str
    samples: int
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    turn: float = 0.0
    towards_truth: bool = True


_NORMALISED = "Each side is centred and scaled by its own first frame's bounding box to a longest side of 2."


def _published(name: str, version: str, what: str, turn: float, towards_truth: bool) -> Protocol:
    return Protocol(
        name,
        f"Motion80's published script {version}, with its faults",
        "published",
        50_000,
        (0.02,),
        ("chamfer", "f_0.02"),
        (
            f"This reproduces the published script {version}, for comparison with tables made by that version only: "
            f"{what} Its alignment composes rotations in the wrong order, fixes the scale by the bounding boxes' x and "
            "y sides, and starts from one pose; a prediction with fewer frames is scored on those, one with more "
            "against the truth's last.",
            _NORMALISED,
            "Unlike the script it draws its samples with a seed, takes all meshes of a file, not the first one only, "
            "and expects .npy frames Y up, but for that turn.",
        ),
        turn,
        towards_truth,
    )


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
        _published(
            "motion80-published",
            "as it is since 2026-04-07",
            "It turns predictions by -90 degrees about X, whatever their axes are, and lays them onto the truth.",
            turn=-90.0,
            towards_truth=True,
        ),
        _published(
            "motion80-published-before-2026-04-07",
            "as it was before 2026-04-07",
            "It does not turn predictions, and lays the truth onto them.",
            turn=0.0,
            towards_truth=False,
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
