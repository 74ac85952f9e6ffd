"""What to tell where a mesh does not look like the frame that shows it."""

from __future__ import annotations

LOW_OVERLAP = 0.5  # intersection over union; right pairs of mesh and video lie far above


def overlap_warnings(overlap: float, mesh_name: str, video_name: str) -> tuple[dict[str, str], ...]:
    """A warning {"code", "sentence"} where the silhouettes' overlap is low; none otherwise."""
    if overlap >= LOW_OVERLAP:
        return ()
    sentence = (
        f"The mesh '{mesh_name}' does not look like the first frame of '{video_name}': their silhouettes overlap by "
        f"{overlap:.2f} only, where {LOW_OVERLAP:g} is the least that is usual; the mesh should have the pose of that "
        "frame. Check both, or give the view as AZIMUTH,ELEVATION."
    )
    return ({"code": "low-overlap", "sentence": sentence},)
