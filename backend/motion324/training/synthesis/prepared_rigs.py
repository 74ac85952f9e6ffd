"""Keeps rigs in one file as training needs them, with their skeletons, so that they are read at once.

The arrays of all rigs lie one after the other. N rigs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.training.synthesis.rigs import Rig, Skeleton

OF_VERTICES = {
    "vertices": np.float32,
    "colours": np.float32,
    "joints": np.int64,
    "weights": np.float32,
    "rest": np.float32,
}
OF_JOINTS = ("leaders", "parents", "pivots")


def write_prepared_rigs(path: Path, rigs: Sequence[Rig]) -> None:
    """As one .npz. Raises Motion324Error where it cannot be written."""
    arrays: dict[str, np.ndarray] = {
        "names": np.array([rig.name for rig in rigs]),
        "vertex_counts": np.array([len(rig.vertices) for rig in rigs]),
        "face_counts": np.array([len(rig.faces) for rig in rigs]),
        "joint_counts": np.array([rig.clips[0].shape[1] for rig in rigs]),
        "clip_counts": np.array([len(rig.clips) for rig in rigs]),
        "clip_lengths": np.array([len(clip) for rig in rigs for clip in rig.clips]),
        "faces": np.concatenate([rig.faces for rig in rigs]),
        "poses": np.concatenate([clip.ravel() for rig in rigs for clip in rig.clips]),
    }
    for name in OF_VERTICES:
        arrays[name] = np.concatenate([getattr(rig, name) for rig in rigs])
    for name in OF_JOINTS:
        arrays[name] = np.concatenate([getattr(rig.skeleton, name) for rig in rigs])
    with explained_write_errors(path), written_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_prepared_rigs(path: Path) -> list[Rig]:
    """Raises Motion324Error("rig-broken") where the file is none of these."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _rigs(arrays)
    except (OSError, EOFError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise Motion324Error(
            "rig-broken",
            f"The file '{path}' holds no prepared rigs.",
            "Make it with `python -m motion324.training.prepare_rigs`, or give the folder of rigs.",
            EXIT_BAD_MESH,
        ) from error


def _rigs(arrays: dict[str, np.ndarray]) -> list[Rig]:
    vertices, faces, joints = (_slices(arrays[f"{of}_counts"]) for of in ("vertex", "face", "joint"))
    lengths = _slices(arrays["clip_counts"])
    sizes = arrays["clip_lengths"] * np.repeat(arrays["joint_counts"], arrays["clip_counts"]) * 12
    poses = _slices(sizes)
    rigs = []
    for number, name in enumerate(arrays["names"].tolist()):
        clips = (
            arrays["poses"][one].reshape(-1, arrays["joint_counts"][number], 3, 4) for one in poses[lengths[number]]
        )
        own = {part: arrays[part][vertices[number]].astype(kind, copy=False) for part, kind in OF_VERTICES.items()}
        skeleton = Skeleton(**{part: arrays[part][joints[number]] for part in OF_JOINTS})
        rigs.append(Rig(name, faces=arrays["faces"][faces[number]], clips=tuple(clips), skeleton=skeleton, **own))
    return rigs


def _slices(counts: np.ndarray) -> list[slice]:
    ends = np.cumsum(counts).tolist()
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
