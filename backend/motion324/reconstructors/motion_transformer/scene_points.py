"""A scene's mesh as the model wants it: coloured points with normals."""

from __future__ import annotations

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.surface import SurfaceSamples, vertex_attributes
from motion324.reconstructors.motion_transformer.predictor import ShapePoints


def surface_points(surface: SurfaceSamples) -> ShapePoints:
    """The samples of the surface, with the normals of their faces."""
    return ShapePoints(surface.points, surface.normals, surface.colours)


def vertex_points(mesh: ReferenceMesh, surface: SurfaceSamples) -> ShapePoints:
    """The mesh's vertices, with their normals, and the colours of the samples that are nearest to them."""
    normals, colours = vertex_attributes(mesh, surface)
    return ShapePoints(mesh.positions.astype(np.float32), normals, colours)
