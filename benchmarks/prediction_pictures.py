"""Pictures of predictions beside the truth: a row per clip, and at four times the video, the truth and the prediction.

    python benchmarks/prediction_pictures.py --predictions DIR -o FILE.jpg [--release DIR] [--clips NAME,NAME]

DIR holds one folder per clip as `motion324 evaluate` reads them. Truth and prediction are drawn from the camera of the
clip's metadata and, smaller, from 60 degrees to its side, where errors along the video's viewing axis show.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import cv2
import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.evaluation.mesh_sequence import MeshSequence
from motion324.evaluation.predictions import find_prediction, read_prediction
from motion324.evaluation.release import ReleaseClip, read_release
from motion324.mesh.colours import colours_at
from motion324.mesh.files.reading import read_mesh
from motion324.view.rasteriser import face_normals, rasterise

DEFAULT_RELEASE = Path(__file__).parents[2] / "shared" / "bench" / "dev"
TIMES = (0.0, 0.35, 0.65, 1.0)  # parts of the clip
SIDE, ASIDE = 150, 60.0  # pixels; degrees


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--release", type=Path, default=DEFAULT_RELEASE)
    parser.add_argument("--clips", default="", help="names, separated by commas; default: all")
    options = parser.parse_args()
    only = tuple(name for name in options.clips.split(",") if name)
    rows = [row(clip, options.predictions) for clip in read_release(options.release, only)]
    cv2.imwrite(str(options.output), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return 0


def row(clip: ReleaseClip, predictions: Path) -> np.ndarray:
    """(SIDE, W, 3) uint8"""
    truth, mesh = clip.read_truth(), read_mesh(clip.mesh)
    predicted = read_prediction(find_prediction(predictions, clip.name))
    meta = json.loads((clip.root / "meta" / f"{clip.name}.json").read_text(encoding="utf-8"))
    views = [view_of(meta, turned) for turned in (0.0, ASIDE)]
    pictures = sorted(clip.images.glob("frame_*.jpg"))
    cells = []
    for part in TIMES:
        frame = round(part * (len(pictures) - 1))
        video = cv2.imread(str(pictures[frame]))[..., ::-1]
        cells.append(cv2.resize(video, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        for sequence in (truth, predicted):
            cells += [drawn(mesh, positions_of(sequence, frame), view, SIDE // (1 + n)) for n, view in enumerate(views)]
        cells.append(np.full((SIDE, 8, 3), 255, np.uint8))
    return np.concatenate(cells, axis=1)


def positions_of(sequence: MeshSequence, frame: int) -> np.ndarray:
    return np.asarray(sequence.positions[frame], np.float64)


def view_of(meta: dict, turned: float = 0.0) -> View:
    """The clip's camera, turned about the vertical through the origin by some degrees."""
    camera = meta["camera"]
    matrix, extrinsic = np.array(camera["K"]), np.array(camera["world_to_camera_opencv"])
    width, height = camera["image_size"]
    c, s = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    backwards = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    centre = (matrix[0, 2] / width, matrix[1, 2] / height)
    return View(extrinsic[:3, :3] @ backwards, extrinsic[:3, 3], matrix[1, 1] / height, centre)


def drawn(mesh: ReferenceMesh, positions: np.ndarray, view: View, side: int) -> np.ndarray:
    """(SIDE, side, 3) uint8: shaded by a light from the camera, before white."""
    raster = rasterise(positions, mesh.faces, view, side, side)
    seen = raster.mask
    face = raster.face[seen]
    facing = np.abs(face_normals(positions, mesh.faces)[face] @ view.rotation[2])
    picture = np.full((SIDE, side, 3), 255, np.uint8)
    shaded = colours_at(mesh, face, raster.barycentric[seen]) * (0.45 + 0.55 * facing[:, None])
    top = (SIDE - side) // 2
    picture[top : top + side][seen] = (shaded * 255).clip(0, 255).astype(np.uint8)
    return picture


if __name__ == "__main__":
    raise SystemExit(main())
