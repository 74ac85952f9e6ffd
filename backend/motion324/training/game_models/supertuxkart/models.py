"""Makes skinned models of SuperTuxKart's files: characters in their karts, and others that move.

N vertices, F faces, J joints, T poses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from motion324.training.game_models.supertuxkart.spm_files import SpmModel, Surface, read_spm
from motion324.training.game_models.textured_model import TexturedModel

FRAMES_A_SECOND = 25.0
POSES_A_SECOND = 24.0
SHORTEST, LONGEST = 8, 96  # poses of a clip
PLAIN = 140  # sRGB, of what has a texture that may not be taken
BENDS = 4  # joints of a surface that is part of a body, not of a vehicle
LEAST = 0.05  # a weight that is smaller does not count
TURNS_A_SECOND = 1.5  # of wheels
WHEELS = ("front-left", "front-right", "rear-left", "rear-right")
DRIVES = "drive"  # the animation in which wheels turn


@dataclass(frozen=True)
class Wheel:
    model: SpmModel
    place: np.ndarray


@dataclass(frozen=True)
class Kart:
    """model: path. animations: names and the frames that they go through."""

    model: Path
    animations: dict[str, np.ndarray]
    wheels: list[Wheel]

    @property
    def name(self) -> str:
        return self.model.parent.name


def read_kart(folder: Path) -> Kart:
    """What kart.xml says of the animations and the wheels."""
    root = ElementTree.parse(folder / "kart.xml").getroot()
    given = root.find("animations")
    marks = {} if given is None else {key: float(value) for key, value in given.attrib.items()}
    animations = {}
    if {"left", "right"} <= set(marks):
        there = every(marks["left"], marks["right"])
        animations[DRIVES] = np.concatenate([there, there[::-1]])
    for key in sorted(marks):
        if key.startswith("start-") and not key.endswith("-loop"):
            what = key.removeprefix("start-")
            later = [value for value in marks.values() if value > marks[key]]
            end = marks.get(f"end-{what}", marks.get(f"start-{what}-loop", min(later, default=marks[key])))
            animations[what] = every(marks[key], end)
    wheels = []
    for side in WHEELS:
        wheel = root.find(f"wheels/{side}")
        if wheel is not None and (folder / wheel.attrib["model"]).is_file():
            path = folder / wheel.attrib["model"]
            place = np.array([float(value) for value in wheel.attrib["position"].split()]) * (1, 1, -1)
            wheels.append(Wheel(read_spm(path.read_bytes(), str(path)), place))
    return Kart(folder / root.attrib["model-file"], animations, wheels)


def driver_of(model: SpmModel) -> SpmModel:
    """Without the kart: faces that hang on joints by which some surface bends, and on what grows from these."""
    joints = [set(surface.joints[surface.weights > LEAST].tolist()) for surface in model.surfaces]
    bending = set().union(*(each for each in joints if len(each) >= BENDS))
    own, first = set(bending), 0
    for armature in model.armatures:
        for bone in range(armature.used):
            above = bone
            while above >= 0 and first + above not in bending:
                above = int(armature.parents[above])
            if above >= 0:
                own.add(first + bone)
        first += armature.used
    kept = []
    for surface in model.surfaces:
        counts = surface.weights > LEAST
        strange = np.logical_and(counts, np.isin(surface.joints, sorted(own), invert=True))
        fine = np.logical_and(counts.any(axis=1), np.logical_not(strange.any(axis=1)))
        faces = surface.faces[fine[surface.faces].all(axis=1)]
        if len(faces):
            kept.append(replace(surface, faces=faces))
    return replace(model, surfaces=tuple(kept))


def every(first: float, last: float) -> np.ndarray:
    """The frames between, as far apart as poses are."""
    return np.arange(first, last, FRAMES_A_SECOND / POSES_A_SECOND)


def whole_time(model: SpmModel) -> dict[str, np.ndarray]:
    times = np.concatenate([armature.times for armature in model.armatures])
    return {"all": every(times.min(), times.max())}


def build_model(
    name: str, model: SpmModel, animations: dict[str, np.ndarray], wheels: list[Wheel], pictures: dict[str, Path | None]
) -> TexturedModel:
    """pictures: of textures, by their names; None: what has it is plain."""
    still = model.skinning(np.array([model.still]))[0]
    parts = [bound(surface, still) for surface in model.surfaces]
    surfaces = list(model.surfaces)
    for number, wheel in enumerate(wheels):
        for surface in wheel.model.surfaces:
            count = len(surface.vertices)
            skin = np.tile([len(still) + number, 0, 0, 0], (count, 1)), np.tile([1.0, 0, 0, 0], (count, 1))
            parts.append((surface.vertices + wheel.place, *skin))
            surfaces.append(surface)
    clips = []
    for what, frames in animations.items():
        for first in range(0, len(frames), LONGEST):
            some = frames[first : first + LONGEST]
            if len(some) >= SHORTEST:
                turning = [rolling(wheel.place, len(some) if what == DRIVES else 0, len(some)) for wheel in wheels]
                poses = np.concatenate([model.skinning(some), *(wheel[:, None] for wheel in turning)], axis=1)
                clips.append(poses[:, :, :3])
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    painted = [painting(surface, pictures.get(surface.texture)) for surface in surfaces]
    return TexturedModel(
        name=name,
        vertices=np.concatenate([part[0] for part in parts]),
        faces=np.concatenate([each.faces + start for each, start in zip(surfaces, starts, strict=False)]),
        uv=np.concatenate([uv for uv, _ in painted]),
        texture=np.repeat(np.arange(len(surfaces)), [len(each.faces) for each in surfaces]),
        textures=[picture for _, picture in painted],
        joints=np.concatenate([part[1] for part in parts]),
        weights=np.concatenate([part[2] for part in parts]),
        clips=clips,
    )


def bound(surface: Surface, still: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (N, 3) as they were before `still` (J + 1, 4, 4) posed them, joints and weights (N, 4)."""
    joints, weights = surface.joints.copy(), surface.weights.copy()
    alone = weights.sum(axis=1) <= 0
    joints[alone, 0], weights[alone, 0] = len(still) - 1, 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    joints = np.where(weights > 0, joints, 0)
    posed_by = np.einsum("nk,nkab->nab", weights, still[joints])
    back = np.linalg.pinv(posed_by)
    places = np.einsum("nab,nb->na", back, np.c_[surface.vertices, np.ones(len(joints))])
    return places[:, :3], joints, weights


def rolling(place: np.ndarray, turning: int, poses: int) -> np.ndarray:
    """(poses, 4, 4): of a wheel at the place (3,), forwards as long as it is turning, in poses."""
    angles = -2 * np.pi * TURNS_A_SECOND / POSES_A_SECOND * np.minimum(np.arange(poses), turning)
    result = np.tile(np.eye(4), (poses, 1, 1))
    result[:, :3, :3] = Rotation.from_rotvec(angles[:, None] * np.array([1.0, 0.0, 0.0])).as_matrix()
    result[:, :3, 3] = place - result[:, :3, :3] @ place
    return result


def painting(surface: Surface, path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, 2) and (H, W, 3) uint8: the texture, or for want of one a texel for each face of its vertices' colour."""
    if surface.uv is not None and path is not None:
        with Image.open(path) as picture:
            return surface.uv[surface.faces], np.asarray(picture.convert("RGB"))
    count = len(surface.faces)
    if surface.texture:
        return np.zeros((count, 3, 2)), np.full((1, 1, 3), PLAIN, np.uint8)
    texels = surface.colours[surface.faces].astype(np.float64).mean(axis=1).round().astype(np.uint8)[None]
    middles = np.stack([(np.arange(count) + 0.5) / count, np.full(count, 0.5)], axis=1)
    return np.repeat(middles[:, None], 3, axis=1), texels
