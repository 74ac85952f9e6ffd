"""Reads a benchmark in the layout that Motion80 is released in, or in ActionBench's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.evaluation.mesh_sequence import MeshSequence, bad_sequence, check_sequence, numbered_files

SPLITS = ("short", "long")
TRACKED = "surfaces.npy"  # in ActionBench's folder of a sample: (T, N, 6), positions and normals of the same points
VIDEO_SUFFIXES = (".mp4", ".webm", ".mov", ".mkv", ".avi")


@dataclass(frozen=True)
class ReleaseClip:
    """One clip of a release: where its parts lie. They may be missing; reading them says so.

    split: "short" or "long", by the list that names it. tracked: ActionBench's truth, points instead of a mesh.
    """

    name: str
    split: str
    root: Path
    tracked: Path | None = None

    @property
    def truth_folder(self) -> Path:
        return self.root / "pcds" / f"{self.name}_pointclouds"

    @property
    def mesh(self) -> Path:
        return self.root / "glbs" / f"{self.name}.glb"

    @property
    def images(self) -> Path:
        """The folder of the video's frames."""
        return self.root / "images" / f"{self.name}_images" / "camera_0"

    @property
    def video(self) -> Path:
        """The folder of images, which is what every release has, else a video file of the clip's name."""
        return self.images if self.images.is_dir() else self.video_file or self.images

    @property
    def video_file(self) -> Path | None:
        files = (self.root / "videos" / f"{self.name}{suffix}" for suffix in VIDEO_SUFFIXES)
        return next((file for file in files if file.is_file()), None)

    @property
    def fps(self) -> float | None:
        """From the clip's description, where the release has one."""
        try:
            return float(read_json((self.root / "meta" / f"{self.name}.json").read_text(encoding="utf-8"))["fps"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def read_truth(self) -> MeshSequence:
        """Raises Motion324Error that names what is missing or wrong."""
        if self.tracked is not None:
            raise bad_sequence(
                "truth-is-points",
                f"'{self.tracked}' holds points without triangles.",
                "Only `motion324 evaluate --protocol actionbench` can use them.",
            )
        return read_frame_folder(self.truth_folder)


def read_release(root: Path, only: tuple[str, ...] = ()) -> tuple[ReleaseClip, ...]:
    """The clips of short_videos.txt and long_videos.txt, in their order, or the folders of ActionBench, all "short", in
    the order of their names; of those, the ones named in `only`, if any.

    Raises Motion324Error("release-unreadable" or "clip-unknown").
    """
    lists = [(split, root / f"{split}_videos.txt") for split in SPLITS]
    present = [(split, path) for split, path in lists if path.is_file()]
    clips = tuple(
        ReleaseClip(name, split, root) for split, path in present for name in path.read_text(encoding="utf-8").split()
    )
    if not present:
        tracked = sorted((*root.glob(f"*/{TRACKED}"), *root.glob(f"data/*/{TRACKED}")))
        clips = tuple(ReleaseClip(path.parent.name, SPLITS[0], path.parent.parent, path) for path in tracked)
    if not clips:
        raise Motion324Error(
            "release-unreadable",
            f"'{root}' is no benchmark: it has no clips in short_videos.txt or long_videos.txt, nor NAME/{TRACKED}.",
            "Give the folder that holds pcds, glbs and images, or the folders of ActionBench's samples.",
            EXIT_USAGE,
        )
    unknown = sorted(set(only) - {clip.name for clip in clips})
    if unknown:
        raise Motion324Error(
            "clip-unknown",
            f"The benchmark '{root}' has no clip '{unknown[0]}'.",
            f"It has {', '.join(clip.name for clip in clips[:5])}{', ...' if len(clips) > 5 else ''}.",
            EXIT_USAGE,
        )
    return tuple(clip for clip in clips if not only or clip.name in only)


def read_frame_folder(folder: Path) -> MeshSequence:
    """faces.npy (F, 3) and frame_0000.npy, frame_0001.npy, ... (N, 3) each.

    Raises Motion324Error: sequence-missing, sequence-topology-changes, and those of numbered_files, load_array and
    check_sequence.
    """
    if not folder.is_dir():
        raise bad_sequence("sequence-missing", f"The folder '{folder}' does not exist.")
    paths = numbered_files(folder, "frame_*.npy")
    faces = load_array(folder / "faces.npy")
    frames = [load_array(path) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        if frame.shape != frames[0].shape:
            raise bad_sequence(
                "sequence-topology-changes",
                f"'{path}' has positions of shape {frame.shape}, the first frame {frames[0].shape}.",
            )
    return check_sequence(MeshSequence(np.stack(frames).astype(np.float32), faces.astype(np.int32), folder))


def load_array(path: Path) -> np.ndarray:
    """Numbers of a .npy file. Raises Motion324Error("sequence-unreadable")."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise bad_sequence("sequence-unreadable", f"'{path}' cannot be read: {error}.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise bad_sequence("sequence-unreadable", f"'{path}' holds no array of numbers.")
    return array
