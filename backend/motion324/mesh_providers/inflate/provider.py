"""Is the provider `inflate`: it takes the silhouette as the outline of a rounded body whose back mirrors its front."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.progress import Progress
from motion324.core.reference_mesh import Material, Normalisation, ReferenceMesh
from motion324.core.view import View
from motion324.mesh_providers.inflate.closed_surface import evened, triangle_quality, zero_surface
from motion324.mesh_providers.inflate.silhouette import GRID, Silhouette, Thickness, object_texture, silhouette_of
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh
from motion324.view.rasteriser import rasterise

VERTICES = 8000  # that are aimed at
MOST_VERTICES = 20000
FEWEST_VERTICES = 2000
GOOD_OVERLAP = 0.985  # of the silhouettes; below it the mesh becomes finer
FINER = 0.75
FOCAL = 2.5  # in units of the picture's height: a long lens, for which the sides of a body stay parallel
_GUESS = 8.0  # cells, spacing of the lattice
_FINEST = 2.0
_STEPS = 4


class InflateProvider:
    """Needs nothing but the picture; see MeshProvider."""

    name = "inflate"
    licence = ""

    def __init__(self, vertices: int = VERTICES) -> None:
        self._vertices = min(max(vertices, FEWEST_VERTICES), MOST_VERTICES)

    def check(self) -> None:
        """Always ready."""

    def provide(self, picture: ObjectPicture, progress: Progress) -> ProvidedMesh:
        """Raises Motion324Error("no-foreground")."""
        progress("mesh", 0, _STEPS)
        silhouette = silhouette_of(picture)
        thickness = Thickness(silhouette)
        progress("mesh", 1, _STEPS)
        spacing = _spacing_for(thickness, silhouette, self._vertices)
        while True:
            cells, faces = _surface(thickness, silhouette, spacing)
            progress("mesh", 2, _STEPS)
            cells, faces = evened(
                cells, faces, thickness.value, thickness.gradient, spacing / 2, lambda: progress("mesh", 2, _STEPS)
            )
            progress("mesh", 3, _STEPS)
            mesh, view = _in_front_of_a_camera(cells, faces, silhouette, picture)
            overlap = _overlap(mesh, view, picture.mask)
            finer = max(FINER * spacing, _FINEST)
            if overlap >= GOOD_OVERLAP or finer == spacing or len(cells) > FINER**2 * MOST_VERTICES:
                break
            spacing = finer
        progress("mesh", _STEPS, _STEPS)
        quality = triangle_quality(mesh.positions.astype(np.float64), mesh.faces)
        details = {
            "silhouette_overlap": round(overlap, 4),
            "triangle_quality": {"mean": round(float(quality.mean()), 3), "least": round(float(quality.min()), 3)},
        }
        return ProvidedMesh(mesh, view, details=details)


def _spacing_for(thickness: Thickness, silhouette: Silhouette, vertices: int) -> float:
    """The lattice's spacing in cells with which the surface has about so many vertices."""
    cells, _ = _surface(thickness, silhouette, _GUESS)
    return max(_GUESS * float(np.sqrt(len(cells) / vertices)), _FINEST)


def _surface(thickness: Thickness, silhouette: Silhouette, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 3) in cells, x right, y down, z away from the front, and faces, counter-clockwise from outside."""
    height, width = silhouette.inside.shape
    deep = thickness.deepest + 2 * spacing
    low, high = np.array([-spacing, -spacing, -deep]), np.array([width + spacing, height + spacing, deep])
    return zero_surface(thickness.value, low, high, spacing)


def _in_front_of_a_camera(
    cells: np.ndarray, faces: np.ndarray, silhouette: Silhouette, picture: ObjectPicture
) -> tuple[ReferenceMesh, View]:
    """The mesh, in units of the object's longer side, widening with the distance from the camera just so that every
    point stays on the ray of its pixel; and that camera, which looks at the front (+Z)."""
    height, width = picture.mask.shape
    pixels = np.asarray(silhouette.origin) + cells[:, :2] * silhouette.pixels_per_cell
    unit = GRID * silhouette.pixels_per_cell  # pixels
    distance = FOCAL * height / unit
    forward = cells[:, 2] / GRID
    spread = (distance + forward) / distance
    right = (pixels[:, 0] - width / 2) / unit * spread
    down = (pixels[:, 1] - height / 2) / unit * spread
    positions = np.stack([right, -down, -forward], axis=1)

    texture, (left, top, box_width, box_height) = object_texture(picture.frame, picture.mask)
    uv = np.stack([(pixels[:, 0] - left) / box_width, 1 - (pixels[:, 1] - top) / box_height], axis=1)
    mesh = ReferenceMesh(
        positions=positions.astype(np.float32),
        faces=faces.astype(np.int32),
        face_material=np.zeros(len(faces), np.int32),
        materials=(Material("picture", (1.0, 1.0, 1.0, 1.0), texture),),
        corner_uv=np.clip(uv, 0, 1)[faces].astype(np.float32),
        name=picture.name,
    )
    normalisation = Normalisation.of(mesh)
    centred = dataclasses.replace(mesh, positions=normalisation.to_normalised(mesh.positions))
    turn = np.diag([1.0, -1.0, -1.0])
    shift = normalisation.scale * (turn @ normalisation.centre + np.array([0.0, 0.0, distance]))
    return centred, View(turn, shift, FOCAL)


def _overlap(mesh: ReferenceMesh, view: View, mask: np.ndarray) -> float:
    seen = rasterise(mesh.positions, mesh.faces, view, *mask.shape).mask
    wanted = mask > 0.5
    return float((seen & wanted).sum() / max(int((seen | wanted).sum()), 1))
