"""What the numbers of a glTF file's vertex colours mean: linear light, as the standard says, or sRGB."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.colours import linear_to_srgb, srgb_to_linear

LINEAR, SRGB = "linear", "sRGB"
# In ReferenceMesh.metadata: which of the two was taken, and why. Without it there is nothing to choose.
MEANING, REASON = "vertex colours", "vertex colours because"

# Programs that write the sRGB values of a painted mesh as they are, by what `asset.generator` begins with.
_WRITES_SRGB = ("https://github.com/mikedh/trimesh",)


def meaning_by_generator(generator: str) -> tuple[str, str]:
    """LINEAR or SRGB, and the reason in words."""
    if generator.startswith(_WRITES_SRGB):
        return SRGB, f"its generator, {generator[:60]}, writes them so"
    return LINEAR, "the standard says so"


def as_srgb(values: np.ndarray, meaning: str) -> np.ndarray:
    """values (N, 3) in [0, 1], as a file has them -> (N, 3) float32 sRGB."""
    return (linear_to_srgb(values) if meaning == LINEAR else values).astype(np.float32)


def with_other_meaning(mesh: ReferenceMesh, reason: str) -> ReferenceMesh | None:
    """The same mesh with its vertex colours taken the other way; None where they have but one meaning."""
    taken = mesh.metadata.get(MEANING)
    if taken is None or mesh.vertex_colour is None:
        return None
    in_file = srgb_to_linear(mesh.vertex_colour) if taken == LINEAR else mesh.vertex_colour
    other = SRGB if taken == LINEAR else LINEAR
    return dataclasses.replace(
        mesh, vertex_colour=as_srgb(in_file, other), metadata={**mesh.metadata, MEANING: other, REASON: reason}
    )
