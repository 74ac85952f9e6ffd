"""Makes one short text of which vertices and faces a mesh consists of, by which two meshes are compared."""

from __future__ import annotations

import hashlib

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh


def topology_hash(mesh: ReferenceMesh) -> str:
    """64 hexadecimal digits that change when the number of vertices, a face, or the order of either changes.

    Moving vertices, colours and materials leave it as it is. The same mesh has the same hash on every machine.
    """
    digest = hashlib.sha256(b"motion324 topology 1")
    digest.update(np.array([len(mesh.positions), len(mesh.faces)], dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(mesh.faces, dtype="<i4").data)
    return digest.hexdigest()
