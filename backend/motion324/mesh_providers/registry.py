"""Mesh providers by name."""

from __future__ import annotations

from pathlib import Path

from motion324.core.mesh_settings import MeshSettings
from motion324.mesh_providers.interface import MeshProvider


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
        from motion324.mesh_providers.given_file import FileProvider

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
