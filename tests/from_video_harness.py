"""The way from a video alone with everything but the reconstruction as the product has it; there is no Blender."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake_reconstructor import FakeReconstructor

from motion324.cli.main import main
from motion324.core.errors import EXIT_OK
from motion324.from_video import chain, exports
from motion324.mesh_providers.inflate.provider import FEWEST_VERTICES, InflateProvider


def without_reconstruction(monkeypatch) -> FakeReconstructor:
    fake = FakeReconstructor()
    monkeypatch.setattr("motion324.pipeline.animate.get_reconstructor", lambda options, progress: fake)
    monkeypatch.setattr(chain, "find_blender", lambda preferred=None: None)
    # Coarser than people get it: a mesh of fewer vertices, and smaller pictures on the page.
    for module in ("silhouette", "provider"):
        monkeypatch.setattr(f"motion324.mesh_providers.inflate.{module}.GRID", 160)
    monkeypatch.setattr(InflateProvider.__init__, "__defaults__", (FEWEST_VERTICES,))
    monkeypatch.setattr(exports, "SIDE", 96)
    return fake


def run(video: Path, folder: Path, capsys, *options: str) -> dict[str, Any]:
    """What the command says, as plain values."""
    code = main(["from-video", str(video), "-o", str(folder), "--json", "--smooth", "0", *options])
    said = capsys.readouterr()
    assert code == EXIT_OK, said.err
    return json.loads(said.out)
