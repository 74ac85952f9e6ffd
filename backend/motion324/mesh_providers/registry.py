"""Finds a mesh provider by its name; one of them takes a file that is given."""

from __future__ import annotations

from pathlib import Path

from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import Progress
from motion324.mesh.files.reading import check_mesh_file, read_mesh
from motion324.mesh_providers.interface import MeshProvider, ObjectPicture, ProvidedMesh


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


def get_provider(settings: MeshSettings, blender: Path | None = None) -> MeshProvider:
    """The provider that the settings choose; it has been asked whether it can work.

    blender: for given files that only Blender reads. Raises Motion324Error("bad-option"), or what its check() raises.
    """
    settings.check()
    provider = _provider(settings, blender)
    provider.check()
    return provider


def _provider(settings: MeshSettings, blender: Path | None) -> MeshProvider:
    # Imported where needed: each brings libraries that the others do without.
    if settings.provider == "file":
        assert settings.file is not None
        return FileProvider(settings.file, blender)
    if settings.provider == "hunyuan3d":
        from motion324.mesh_providers.hunyuan.in_process import HunyuanProvider

        return HunyuanProvider(settings)
    if settings.provider == "hunyuan3d-server":
        from motion324.mesh_providers.hunyuan.server import HunyuanServerProvider

        return HunyuanServerProvider(settings)
    from motion324.mesh_providers.inflate.provider import InflateProvider

    return InflateProvider()
