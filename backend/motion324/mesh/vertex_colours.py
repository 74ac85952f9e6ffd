"""What the numbers of a glTF file's vertex colours mean: linear light, as the standard says, or sRGB."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.srgb import linear_to_srgb, srgb_to_linear

LINEAR, SRGB = "linear", "sRGB"
# In ReferenceMesh.metadata: which of the two was taken, why, and which it may be as well, where that is not sure.
MEANING, REASON, OTHER = "vertex colours", "vertex colours because", "vertex colours or"

# By what `asset.generator` begins with. These convert a mesh's colours to linear light for certain:
_WRITES_LINEAR = ("Motion324 for Blender ", "Khronos glTF Blender I/O")
# These write the values that they have, which are sRGB but for meshes that came from a glTF file.
_WRITES_AS_IT_IS = ("https://github.com/mikedh/trimesh",)


def meaning_by_generator(generator: str) -> dict[str, str]:
    """The metadata of a mesh that this program wrote."""
    if generator.startswith(_WRITES_LINEAR):
        return {MEANING: LINEAR, REASON: "the standard says so, and the program that wrote the file follows it"}
    if generator.startswith(_WRITES_AS_IT_IS):
        return {MEANING: SRGB, REASON: f"the program that wrote the file ({generator[:60]}) does so", OTHER: LINEAR}
    return {MEANING: LINEAR, REASON: "the standard says so", OTHER: SRGB}


def as_srgb(values: np.ndarray, meaning: str) -> np.ndarray:
    """values (N, 3) in [0, 1], as a file has them -> (N, 3) float32 sRGB."""
    return (linear_to_srgb(values) if meaning == LINEAR else values).astype(np.float32)


def with_other_meaning(mesh: ReferenceMesh, reason: str) -> ReferenceMesh | None:
    """The same mesh with its vertex colours taken the other way; None where they have but one meaning."""
    other = mesh.metadata.get(OTHER)
    if other is None or mesh.vertex_colour is None:
        return None
    in_file = mesh.vertex_colour if other == LINEAR else srgb_to_linear(mesh.vertex_colour)
    metadata = {**mesh.metadata, MEANING: other, REASON: reason, OTHER: SRGB if other == LINEAR else LINEAR}
    return dataclasses.replace(mesh, vertex_colour=as_srgb(in_file, other), metadata=metadata)
