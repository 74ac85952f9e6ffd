"""Khronos' own validator finds nothing wrong with the GLBs that the backend writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from gltf_validator import issues, needs_validator

from motion324.core.reference_mesh import Material
from motion324.mesh.files.gltf_writing import write_glb
from motion324.mesh.files.reading import read_mesh

SHIBA = Path(__file__).resolve().parents[4] / "examples" / "shiba.glb"


@needs_validator
@pytest.mark.long
@pytest.mark.parametrize("painted", [False, True])
@pytest.mark.parametrize("frames", [0, 4])
def test_khronos_validator_finds_no_fault(tmp_path, painted, frames):
    mesh = read_mesh(SHIBA)  # with a texture
    if painted:
        mesh = dataclasses.replace(
            mesh,
            vertex_colour=np.random.default_rng(0).random(mesh.positions.shape, dtype=np.float32),
            corner_uv=None,
            materials=(Material("paint"),),
            face_material=np.zeros(len(mesh.faces), np.int32),
        )
    moved = mesh.positions + np.linspace(0, 1, 4, dtype=np.float32)[:, None, None] * mesh.positions[::-1]
    write_glb(tmp_path / "mesh.glb", mesh, *((moved, 12.0) if frames else ()))
    assert issues(tmp_path / "mesh.glb") == []
