"""Reads one sample of a release in the published training layout.

pcds/NAME_pointclouds/frame_XXXX.npy       (V, 3): the vertices, Y up, one file per frame
pcds/NAME_pointclouds/faces.npy            (F, 3)
pcds/NAME_pointclouds/uv_face_texture.npz  face_uvs (F, 3, 2), v up; texture_array (H, W, 3) uint8
images/NAME_images/camera_K/frame_XXXX.jpg (or .png): the same frames, the object on black
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.reference_mesh import Material, Normalisation, ReferenceMesh
from motion324.mesh.surface import SurfaceSamples, sample_surface, vertex_normals
from motion324.training.clips.motion_batch import MotionSample
from motion324.training.clips.release_files import ClipFiles
from motion324.training.shared.config import DataConfig, ReleaseConfig

FRAME = re.compile(r"frame_(\d+)\.(npy|jpg|jpeg|png)$", re.IGNORECASE)


class BrokenSample(Exception):
    """A clip that cannot be used; its text says which and why."""


@dataclass(frozen=True)
class _Mesh:
    faces: np.ndarray
    face_uvs: np.ndarray
    texture: np.ndarray


def read_sample(
    files: ClipFiles, clip: str, data: DataConfig, release: ReleaseConfig, draws: np.random.Generator
) -> MotionSample:
    """A window of a clip's frames, seen by one of its cameras; what is drawn depends on `draws` alone.

    Frames that are black in full are passed over: the window goes on at its stride, and at last before its start.
    Raises BrokenSample.
    """
    try:
        folder = f"pcds/{clip}_pointclouds"
        meshes = _numbered(files.names(clip, folder), ("npy",))
        images_folder, images = _camera(files, clip, release.cameras, draws)
        numbers = sorted(meshes.keys() & images.keys())
        chosen, video = _window(files, clip, images_folder, images, numbers, data, release, draws)
        positions = np.stack([_positions(files, clip, f"{folder}/{meshes[number]}") for number in chosen])
        return _sample(clip, positions, _read_mesh(files, clip, folder, positions.shape[1]), video, data, draws)
    except BrokenSample:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        cv2.error,
        Motion324Error,
    ) as error:
        raise _broken(clip, str(error).rstrip(".")) from error


def _sample(
    clip: str, positions: np.ndarray, mesh: _Mesh, video: np.ndarray, data: DataConfig, draws: np.random.Generator
) -> MotionSample:
    white = Material(base_colour=(1.0, 1.0, 1.0, 1.0), texture=mesh.texture)
    single = np.zeros(len(mesh.faces), np.int32)
    reference = ReferenceMesh(positions[0], mesh.faces, single, (white,), mesh.face_uvs, name=clip)
    used = positions[0][mesh.faces].reshape(-1, 3)
    if not float((used.max(axis=0) - used.min(axis=0)).max()) > 0:
        raise _broken(clip, "its mesh has no extent in the reference frame")
    space = Normalisation.of(reference)
    moved = space.to_normalised(positions)
    normalised = ReferenceMesh(moved[0], mesh.faces, single, (white,), mesh.face_uvs, name=clip)
    seeds = draws.integers(1 << 31, size=2)
    surface = sample_surface(normalised, data.surface_points, int(seeds[0]))
    points = sample_surface(normalised, data.query_points, int(seeds[1]))
    corners = mesh.faces[points.faces]
    targets = np.einsum("nc,tncd->tnd", points.barycentric, moved[:, corners])
    return MotionSample(
        video=video,
        surface=np.concatenate([surface.points, surface.normals, surface.colours], axis=1),
        points=np.concatenate([targets[0], _smooth_normals(normalised, points), points.colours], axis=1),
        targets=targets.astype(np.float32),
        name=clip,
    )


def _smooth_normals(mesh: ReferenceMesh, points: SurfaceSamples) -> np.ndarray:
    """The vertices' normals, in between these; the face's own where they vanish."""
    mixed = np.einsum("nc,ncd->nd", points.barycentric, vertex_normals(mesh)[mesh.faces[points.faces]])
    lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
    found: np.ndarray = np.where(lengths > 0.1, mixed / np.maximum(lengths, 0.1), points.normals)
    return found


def _camera(files: ClipFiles, clip: str, cameras: int, draws: np.random.Generator) -> tuple[str, dict[int, str]]:
    """The folder of one of the cameras, and its frames by number."""
    root = f"images/{clip}_images"
    known = {f"camera_{number}" for number in range(cameras)}
    present = [name for name in files.names(clip, root) if name in known]
    if not present:
        raise _broken(clip, f"it has no images of camera_0 to camera_{cameras - 1}")
    folder = f"{root}/{present[draws.integers(len(present))]}"
    return folder, _numbered(files.names(clip, folder), ("jpg", "jpeg", "png"))


def _window(
    files: ClipFiles,
    clip: str,
    folder: str,
    images: dict[int, str],
    numbers: list[int],
    data: DataConfig,
    release: ReleaseConfig,
    draws: np.random.Generator,
) -> tuple[list[int], np.ndarray]:
    """The numbers of the frames, and their pictures (T, S, S, 3) uint8."""
    fitting = [
        (stride, share)
        for stride, share in zip(release.strides, release.stride_weights, strict=True)
        if (data.frames - 1) * stride < len(numbers) and share > 0
    ]
    if not fitting:
        raise _broken(clip, f"it has {len(numbers)} frames with positions and picture, fewer than a sample takes")
    shares = np.array([share for _, share in fitting])
    stride = fitting[draws.choice(len(fitting), p=shares / shares.sum())][0]
    start = int(draws.integers(len(numbers) - (data.frames - 1) * stride))
    order = [*range(start, len(numbers), stride), *range(start - stride, -1, -stride)]
    pictures: dict[int, np.ndarray] = {}
    for place in order:
        picture = _picture(files, clip, f"{folder}/{images[numbers[place]]}", data.image_size)
        if picture.any():
            pictures[place] = picture
        if len(pictures) == data.frames:
            chosen = sorted(pictures)
            return [numbers[place] for place in chosen], np.stack([pictures[place] for place in chosen])
    raise _broken(clip, f"only {len(pictures)} of its frames, {stride} apart, are not black in full")


def _picture(files: ClipFiles, clip: str, path: str, side: int) -> np.ndarray:
    """(side, side, 3) uint8 RGB, bilinear as the image encoder resizes; where the file is transparent, black."""
    encoded = np.frombuffer(files.read(clip, path), np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if image is None or image.dtype != np.uint8:
        raise _broken(clip, f"'{path}' is no picture with 8 bits a channel")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    elif image.shape[2] == 4:
        opaque = image[..., :3] * (image[..., 3:] / np.float32(255))
        image = np.rint(opaque).astype(np.uint8)[..., ::-1]
    else:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if image.shape[:2] != (side, side):
        image = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(image)


def _positions(files: ClipFiles, clip: str, path: str) -> np.ndarray:
    array = _array(files, clip, path)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind != "f":
        raise _broken(clip, f"'{path}' holds no positions of vertices")
    if not np.isfinite(array).all():
        raise _broken(clip, f"'{path}' holds numbers that are not finite")
    return array.astype(np.float32)


def _read_mesh(files: ClipFiles, clip: str, folder: str, vertices: int) -> _Mesh:
    faces = _array(files, clip, f"{folder}/faces.npy")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu" or not len(faces):
        raise _broken(clip, "its faces.npy holds no triangles")
    if faces.min() < 0 or faces.max() >= vertices:
        raise _broken(clip, f"its faces.npy names vertices that its {vertices} do not have")
    with np.load(io.BytesIO(files.read(clip, f"{folder}/uv_face_texture.npz")), allow_pickle=False) as file:
        uvs, texture = file["face_uvs"], file["texture_array"]
    if uvs.shape != (*faces.shape, 2) or texture.ndim != 3 or texture.dtype != np.uint8 or not texture[..., :3].size:
        raise _broken(clip, "its uv_face_texture.npz does not fit its faces")
    return _Mesh(faces.astype(np.int32), np.nan_to_num(uvs).astype(np.float32), texture)


def _array(files: ClipFiles, clip: str, path: str) -> np.ndarray:
    array = np.load(io.BytesIO(files.read(clip, path)), allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise _broken(clip, f"'{path}' holds no array")
    return array


def _numbered(names: list[str], kinds: tuple[str, ...]) -> dict[int, str]:
    found = {}
    for name in names:
        match = FRAME.fullmatch(name)
        if match and match[2].lower() in kinds:
            found[int(match[1])] = name
    return found


def _broken(clip: str, why: str) -> BrokenSample:
    return BrokenSample(f"{clip}: {why}")
