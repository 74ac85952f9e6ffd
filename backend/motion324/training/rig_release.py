"""Writes clips of the rigs that are never trained on as a benchmark on disk: `python -m
motion324.training.rig_release`.

In Motion80's release layout, so that `motion324 batch --release` and `motion324 evaluate` judge on it whatever should
not be judged, or tuned, on the benchmark itself.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from motion324.core.errors import Motion324Error
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.files.gltf_writing import write_glb
from motion324.training.clips.split import HELD_OUT
from motion324.training.shared.settings import SynthesisSettings, validation_settings
from motion324.training.synthesis.filming import filmed_clips
from motion324.training.synthesis.pictures import Cameras
from motion324.training.synthesis.rig_bank import Draws, RigBank
from motion324.training.synthesis.rigs import read_rigs
from motion324.video.writing import VideoFile

FPS = 12
FIELD_OF_VIEW = math.radians(39.6)
FILLED = 0.92  # the part of the picture that the object may fill, over all frames
NEAREST = 1.2  # the least distance of the camera


@dataclass(frozen=True)
class RigReleaseOptions:
    """rigs: folder of the rigged models. out: the release's folder. clips: per rig. size: of the pictures, pixels.

    cartoon: with random colours and textures rather than the models' own.
    """

    rigs: Path
    out: Path
    clips: int = 1
    frames: int = 24
    size: int = 512
    cartoon: bool = True
    seed: int = 0


def write_rig_release(options: RigReleaseOptions, names: Sequence[str] = tuple(sorted(HELD_OUT))) -> list[str]:
    """Writes the clips, and returns their names. Raises Motion324Error("rigs-missing" or "rig-broken")."""
    rigs = read_rigs(options.rigs, frozenset(names))
    device = torch.device("cpu")
    settings = validation_settings(
        replace(SynthesisSettings(), frames=options.frames, image_size=options.size, oversampling=2)
    )
    settings = replace(settings, texture_share=0.5 if options.cartoon else 0.0)
    written = []
    for number, rig in enumerate(rigs):
        bank = RigBank([rig], device)
        draws = Draws(1000 * options.seed + number, device)
        hosts = np.random.default_rng([options.seed, number])
        for clip in range(options.clips):
            name = f"{rig.name}_{clip}"
            _write_clip(name, bank, settings, options, draws, hosts)
            written.append(name)
    (options.out / "short_videos.txt").write_text("\n".join(written) + "\n", encoding="utf-8")
    (options.out / "long_videos.txt").write_text("", encoding="utf-8")
    return written


@torch.no_grad()
def _write_clip(
    name: str,
    bank: RigBank,
    settings: SynthesisSettings,
    options: RigReleaseOptions,
    draws: Draws,
    hosts: np.random.Generator,
) -> None:
    clip = filmed_clips(bank, [0], settings, draws, hosts, lambda vertices: _camera(vertices, hosts))
    models, appearance, cameras = clip.models, clip.appearance, clip.cameras
    pictures = (clip.frames[0].permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    truth = clip.vertices.transpose(0, 1).numpy().astype(np.float32)
    own = appearance.coloured(appearance.vertex_colours, models.rest, models.vertex_clip).numpy()
    _write_pictures(options.out, name, pictures)
    _write_masks(options.out, name, clip.alpha[0, :, 0].numpy() > 0.5)
    folder = options.out / "pcds" / f"{name}_pointclouds"
    folder.mkdir(parents=True, exist_ok=True)
    faces = models.faces.numpy().astype(np.int32)
    np.save(folder / "faces.npy", faces)
    for index, positions in enumerate(truth):
        np.save(folder / f"frame_{index:04d}.npy", positions)
    (options.out / "glbs").mkdir(parents=True, exist_ok=True)
    mesh = ReferenceMesh(
        positions=truth[0],
        faces=faces,
        face_material=np.zeros(len(faces), np.int32),
        materials=(Material(base_colour=(1.0, 1.0, 1.0, 1.0)),),
        vertex_colour=own.astype(np.float32),
        name=name,
    )
    write_glb(options.out / "glbs" / f"{name}.glb", mesh)
    (options.out / "meta").mkdir(parents=True, exist_ok=True)
    camera = {"rotation": cameras.rotation[0].tolist(), "translation": cameras.translation[0].tolist()}
    described = {"fps": FPS, "rig": bank.names[0], "camera": camera, "focal": float(cameras.intrinsics[0, 0])}
    (options.out / "meta" / f"{name}.json").write_text(json.dumps(described), encoding="utf-8")


def _camera(vertices: Tensor, hosts: np.random.Generator) -> Cameras:
    """One that looks at the origin from anywhere around, a little from above, near enough to fill the picture."""
    azimuth, elevation = hosts.uniform(0, 2 * math.pi), math.radians(hosts.uniform(0, 20))
    position = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    ahead = -position
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    seen = vertices.double().numpy().reshape(-1, 3) @ rotation.T
    focal = 0.5 / math.tan(FIELD_OF_VIEW / 2)
    reach = np.abs(seen[:, :2]).max(axis=1) * focal / (FILLED / 2)
    distance = max(float((reach - seen[:, 2]).max()), NEAREST)
    return Cameras(
        torch.tensor(rotation[None], dtype=torch.float32),
        torch.tensor([[0.0, 0.0, distance]]),
        torch.tensor([[focal, 0.5, 0.5]]),
    )


def _write_pictures(root: Path, name: str, pictures: np.ndarray) -> None:
    folder = root / "images" / f"{name}_images" / "camera_0"
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"frame_{index:04d}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    (root / "videos").mkdir(parents=True, exist_ok=True)
    with VideoFile(root / "videos" / f"{name}.mp4", FPS) as video:
        for picture in pictures:
            video.write(picture)


def _write_masks(root: Path, name: str, masks: np.ndarray) -> None:
    (root / "masks").mkdir(parents=True, exist_ok=True)
    packed = np.packbits(masks.reshape(len(masks), -1), axis=1)
    np.savez_compressed(root / "masks" / f"{name}.npz", packed=packed, shape=np.array(masks.shape))


def main(arguments: list[str] | None = None) -> int:
    default = RigReleaseOptions(Path(), Path())
    parser = argparse.ArgumentParser(prog="python -m motion324.training.rig_release", description=__doc__)
    parser.add_argument("--rigs", type=Path, required=True, help="folder of rigged models (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the release")
    parser.add_argument("--clips", type=int, default=default.clips, help="per rig")
    parser.add_argument("--frames", type=int, default=default.frames)
    parser.add_argument("--size", type=int, default=default.size, help="side of the pictures, in pixels")
    parser.add_argument("--own-colours", action="store_false", dest="cartoon", help="no random textures")
    parser.add_argument("--seed", type=int, default=default.seed)
    try:
        names = write_rig_release(RigReleaseOptions(**vars(parser.parse_args(arguments))))
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{len(names)} clips")
    return 0


if __name__ == "__main__":
    sys.exit(main())
