"""Pictures of how predictions lie on their videos, two sets of them side by side: a row per clip, and at two times the
video, and it with the outline of one set's prediction and of the other's.

    python benchmarks/prediction_overlays.py --before DIR --after DIR -o FILE.jpg --release DIR [--clips NAME,NAME]

DIR of predictions holds one folder per clip as `motion324 evaluate` reads them. The times are those at which the truth
is farthest from the first frame, and the middle of the clip. Drawn by the true camera.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from prediction_pictures import positions_of, view_of

from motion324.evaluation.mesh_sequence import MeshSequence
from motion324.evaluation.predictions import find_prediction, read_prediction
from motion324.evaluation.release import ReleaseClip, read_release
from motion324.mesh.files.reading import read_mesh
from motion324.trajectories.result_files import outlined
from motion324.video.decoding import read_video
from motion324.view.rasteriser import rasterise

SIDE = 512  # pixels that are drawn; half of them are shown of each picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--clips", default="", help="names, separated by commas; default: all")
    options = parser.parse_args()
    only = tuple(name for name in options.clips.split(",") if name)
    rows = [row(clip, (options.before, options.after)) for clip in read_release(options.release, only)]
    cv2.imwrite(str(options.output), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return 0


def row(clip: ReleaseClip, sets: tuple[Path, Path]) -> np.ndarray:
    """(SIDE / 2, W, 3) uint8"""
    truth, faces = clip.read_truth(), read_mesh(clip.mesh).faces
    predictions = [read_prediction(find_prediction(folder, clip.name)) for folder in sets]
    view = view_of(json.loads((clip.root / "meta" / f"{clip.name}.json").read_text(encoding="utf-8")))
    video = read_video(clip.root / "videos" / f"{clip.name}.mp4").frames
    cells = []
    for frame in (farthest_frame(truth), len(video) // 2):
        picture = cv2.resize(video[frame], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        cells.append(picture)
        for sequence in predictions:
            cells.append(outlined(picture, rasterise(positions_of(sequence, frame), faces, view, SIDE, SIDE).mask))
    return cv2.resize(np.concatenate(cells, axis=1), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def farthest_frame(truth: MeshSequence) -> int:
    first = positions_of(truth, 0)
    moved = [np.linalg.norm(positions_of(truth, frame) - first, axis=1).mean() for frame in range(len(truth.positions))]
    return int(np.argmax(moved))


if __name__ == "__main__":
    raise SystemExit(main())
