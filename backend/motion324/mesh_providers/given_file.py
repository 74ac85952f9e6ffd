"""The provider `file`: a mesh that exists already."""

from __future__ import annotations

from pathlib import Path

from motion324.core.progress import Progress
from motion324.mesh.files.reading import check_mesh_file, read_mesh
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh


class FileProvider:
    """Reads a mesh file; where the picture sees it from has to be found. See MeshProvider."""

    name = "file"
    licence = ""

    def __init__(self, path: Path, blender: Path | None = None) -> None:
        self._path = path
        self._blender = blender

    def check(self) -> None:
        """Raises Motion324Error("mesh-missing" or "mesh-unknown-kind")."""
        check_mesh_file(self._path)

    def provide(self, picture: ObjectPicture, progress: Progress) -> ProvidedMesh:
        """Raises Motion324Error as read_mesh does."""
        progress("mesh", 0, 1)
        mesh = read_mesh(self._path, blender=self._blender, progress=progress)
        progress("mesh", 1, 1)
        return ProvidedMesh(mesh, rough_view="auto", details={"file": str(self._path)})
