"""How near keyframes on bones come to a trajectory. Prints tables in Markdown, a row as soon as it is known.

    python benchmarks/rigs.py --rigs DIR [--models NAME,...] [--frames 48]        # truth is linear skinning
    python benchmarks/rigs.py --release ROOT --predictions DIR [--clips NAME,...] # our own results of clips with truth
    python benchmarks/rigs.py --speed                                             # 100 frames of 20,000 vertices

--rigs: rigged models as ../shared/train_rigs has them: skin weights and, of each clip, matrices of the joints. Their
joints' places and parents are not in these files, so that they are found here as the points that two joints carry alike
in all clips; the clip whose joints turn most is then keyed on these bones ("own"), and on a rig that is made from it,
with the fewest bones within 0.5 % ("made"). "joints off": the median distance of the made rig's joints to the nearest
of the own ones, in the first frame; "outside": how many of its bones' ends lie outside of the mesh, by winding numbers.

--release: predictions are NAME/trajectory.npz, as `motion324 batch --release ROOT` leaves them in DIR/given_mesh. Each
is kept on the rig that is made from it, and on 24 bones that are made from the truth, as an artist's rig would be: of
the right thing, but not of this result. "grows": the mean distance of all vertices to the truth, after by before.

--speed: a cloud of vertices about 60 bones, each held by up to four, that swing; keyed on these bones with one kind of
keys and another, and on bones that are made from the motion. Seconds of the clock and of the processor.

All distances in percent of the longest side of the first frame; other seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.rig_settings import RigSettings
from motion324.core.reference_mesh import turned_z_up
from motion324.core.rigs.rig import Armature, RiggedMotion, RigMotion, Skin
from motion324.evaluation.release import read_release
from motion324.rigging.kinematics import Chain, Poses
from motion324.rigging.made_rig import make_rig
from motion324.rigging.own_rig import fit_armature
from motion324.rigging.rotations import from_vector, nearest_rotation, to_vector
from motion324.rigging.skinning import Basis

MODELS = (
    "animals_pack__ShibaInu",
    "animated_women_characters__Smooth_Female_Casual",
    "dinosaurs_pack__Apatosaurus",
    "animated_robot__Robot",
    "zebra__Zebra",
    "farm_animals_animated__Cow",
    "alien_animated__Alien",
    "monster_pack_animated__Dragon",
    "fish_pack__Shark",
    "easy_animated_enemy_pack__Wasp",
)
CLIPS = ("fox_gallop", "george_dance", "triceratops_walk")
TRIED = 150  # poses of all clips from which joints are found
ARTIST = 24  # bones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rigs", type=Path)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--frames", type=int, default=48, help="the most that are taken of a clip")
    parser.add_argument("--release", type=Path)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--clips", default=",".join(CLIPS))
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.rigs:
        of_models(arguments.rigs, arguments.models.split(","), arguments.frames)
    if arguments.release:
        of_predictions(arguments.release, arguments.predictions, tuple(arguments.clips.split(",")))
    if arguments.speed:
        of_speed()


def of_models(folder: Path, names: list[str], most: int) -> None:
    heads = ("own: bones", "mean", "largest", "s", "made: bones", "mean", "s", "joints off", "outside")
    _row("model", "frames x vertices", *heads)
    _row(*["---"] * 11)
    for name in names:
        armature, skin, positions, faces = read_model(folder / f"{name}.npz", most)
        own, of_own = _timed(lambda a=armature, s=skin, p=positions: fit_armature(a, s, p))
        made, of_made = _timed(lambda p=positions, f=faces: make_rig(p, f, RigSettings()))
        _row(
            name,
            "{} x {:,}".format(*positions.shape[:2]),
            armature.count,
            *(f"{100 * value:.3f}" for value in (own.mean.mean(), own.largest.max())),
            f"{of_own:.1f}",
            made.armature.count,
            f"{100 * made.motion.mean.mean():.2f}",
            f"{of_made:.1f}",
            *_of_joints(own_joints(armature, own), made, positions[0], faces),
        )


def own_joints(armature: Armature, motion: RigMotion) -> np.ndarray:
    """(J, 3): where the bones begin in the first frame."""
    poses = Poses.keyed(armature, motion).of(slice(1))
    return Chain(armature).place(poses).matrices[0, :, :3, 3]


def _of_joints(own: np.ndarray, made: RiggedMotion, rest: np.ndarray, faces: np.ndarray) -> tuple[str, str]:
    bones = made.armature
    heads = bones.rest[:, :3, 3]
    tails = heads + bones.rest[:, :3, 1] * bones.lengths[:, None]
    off = np.linalg.norm(heads[1:, None] - own, axis=2).min(axis=1) / np.ptp(rest, axis=0).max()
    ends = np.concatenate([heads[1:], tails])
    outside = np.abs(winding_numbers(ends, rest.astype(np.float64)[faces])) < 0.5
    return f"{100 * np.median(off):.1f}", f"{outside.sum()} of {len(outside)}"


def winding_numbers(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """points (P, 3), triangles (F, 3, 3) -> (P,): how often the surface goes around each, by its triangles' solid
    angles (Van Oosterom and Strackee, 1983).
    """
    numbers = np.empty(len(points))
    for place, point in enumerate(points):
        a, b, c = (triangles[:, corner] - point for corner in range(3))
        la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
        dots = [np.einsum("fc,fc->f", one, two) for one, two in ((a, b), (b, c), (c, a))]
        below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
        numbers[place] = np.arctan2(np.einsum("fc,fc->f", a, np.cross(b, c)), below).sum() / (2 * np.pi)
    return numbers


def of_predictions(root: Path, folder: Path, names: tuple[str, ...]) -> None:
    _row("clip", "error before", "made: bones", "mean", "error grows", f"on {ARTIST}: mean", "largest", "error grows")
    _row(*["---"] * 8)
    for clip in read_release(root, names):
        found = load_trajectory(folder / clip.name / "trajectory.npz")
        positions = turned_z_up(found.positions)
        truth = turned_z_up(np.stack([np.load(file) for file in sorted(clip.truth_folder.glob("frame_*.npy"))]))
        side = np.ptp(truth[0], axis=0).max()

        def error(positions: np.ndarray, truth: np.ndarray = truth, side: float = side) -> float:
            return 100 * float(np.linalg.norm(positions - truth, axis=2).mean() / side)

        before = error(positions)
        made = make_rig(positions, found.faces, RigSettings())
        given = make_rig(truth, found.faces, RigSettings(bones=ARTIST))
        keyed = fit_armature(given.armature, given.skin, positions)
        on_given = RiggedMotion(given.armature, given.skin, keyed)
        _row(
            clip.name,
            f"{before:.2f}",
            made.armature.count,
            f"{100 * made.motion.mean.mean():.2f}",
            f"{100 * (error(shown(made)) / before - 1):+.1f} %",
            f"{100 * keyed.mean.mean():.2f}",
            f"{100 * keyed.largest.max():.1f}",
            f"{100 * (error(shown(on_given)) / before - 1):+.1f} %",
        )


def shown(rigged: RiggedMotion) -> np.ndarray:
    """(T, N, 3): where the bones bring the vertices."""
    chain, poses = Chain(rigged.armature), Poses.keyed(rigged.armature, rigged.motion)
    return Basis.of(rigged.skin, rigged.armature.count).skinned(chain.skinning(chain.place(poses)))


def of_speed(frames: int = 100, vertices: int = 20_000, bones: int = 60) -> None:
    armature, skin, positions = swinging(frames, vertices, bones)
    slabs = np.arange(vertices // 3 * 3, dtype=np.int32).reshape(-1, 3)
    fit_armature(armature, skin, positions[:2])  # compiles, the first time on a machine
    _row(f"{frames} x {vertices:,}", "bones", "s", "processor s", "mean", "largest")
    _row(*["---"] * 6)
    ways = {
        "turned": lambda: fit_armature(armature, skin, positions, locations="root"),
        "turned and moved": lambda: fit_armature(armature, skin, positions, locations="unconnected"),
        "turned and scaled": lambda: fit_armature(armature, skin, positions, locations="root", scale=True),
        "on made bones": lambda: make_rig(positions, slabs, RigSettings(bones=bones)).motion,
    }
    for name, way in ways.items():
        began = time.perf_counter()
        motion, seconds = _timed(way)
        clock = time.perf_counter() - began
        off = f"{100 * motion.mean.mean():.3f}", f"{100 * motion.largest.max():.3f}"
        _row(name, len(motion.turned), f"{clock:.1f}", f"{seconds:.1f}", *off)


def swinging(frames: int, vertices: int, bones: int) -> tuple[Armature, Skin, np.ndarray]:
    """A tree of bones with vertices about them, and where these are while all bones swing and some grow (T, N, 3)."""
    rng = np.random.default_rng(0)
    parents = np.array([-1, *(rng.integers(max(0, j - 6), j) for j in range(1, bones))])
    heads = np.zeros((bones, 3))
    for j in range(1, bones):
        heads[j] = heads[parents[j]] + rng.normal(0, 0.1, 3)
    armature = _armature(parents, heads)
    owners = rng.integers(0, bones, vertices)
    places = heads[owners] + rng.normal(0, 0.04, (vertices, 3))
    nearest = np.argsort(np.linalg.norm(places[:, None] - heads, axis=2), axis=1)[:, :4]
    weights = rng.dirichlet((3, 1, 0.5, 0.2), vertices)
    skin = Skin(places.astype(np.float32), nearest.astype(np.int32), weights.astype(np.float32))
    time_, phases = np.arange(frames)[:, None], rng.uniform(0, 6, bones)
    swings = np.sin(0.2 * time_ + phases) - np.sin(phases)
    location = np.zeros((frames, bones, 3))
    location[:, 0, 0] = 0.01 * time_[:, 0]
    growth = np.exp(swings * np.where(rng.random(bones) < 0.2, 0.05, 0.0))
    poses = Poses(from_vector(swings[..., None] * rng.normal(0, 0.25, (bones, 3))), location, growth)
    chain = Chain(armature)
    return armature, skin, Basis.of(skin, bones).skinned(chain.skinning(chain.place(poses))).astype(np.float32)


def read_model(path: Path, most: int) -> tuple[Armature, Skin, np.ndarray, np.ndarray]:
    """The rig, the clip of it that moves most (T, N, 3) float32, and faces (F, 3)."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    clips = [name for name in arrays if name.startswith("clip")]
    maps = {name: arrays[name].astype(np.float64) for name in clips}
    together = np.concatenate(list(maps.values()))
    scale = float(np.median(np.cbrt(np.linalg.det(together[..., :3]))))  # of the whole: bones do not scale
    vertices = arrays["V"].astype(np.float64) * scale
    together[..., :3] /= scale
    clip = max((each[:most] for each in maps.values()), key=_turning).copy()
    clip[..., :3] /= scale
    joints, weights = arrays["J"].astype(np.int64), arrays["W"].astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    basis = Basis.of(Skin(vertices, joints, weights), clip.shape[1])
    positions = basis.skinned(clip)
    parents, heads, order = _joints(together, vertices, joints, weights)
    number = np.argsort(order)
    skin = Skin(vertices.astype(np.float32), number[joints].astype(np.int32), weights.astype(np.float32))
    return _armature(parents, heads), skin, positions.astype(np.float32), arrays["F"].astype(np.int32)


def _turning(clip: np.ndarray) -> float:
    """clip (T, J, 3, 4) -> radians between a joint's first pose and its others, on average."""
    turns = nearest_rotation(clip[..., :3])
    return float(np.linalg.norm(to_vector(np.swapaxes(turns[:1], -1, -2) @ turns), axis=-1).mean())


def _joints(
    maps: np.ndarray, vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """maps (P, J, 3, 4) -> parents (J,) and heads (J, 3) in the order (J,) in which each comes after its parent.

    A tree of least gaps: two bones hang together where a point is that both carry alike.
    """
    some = maps[np.linspace(0, len(maps) - 1, min(len(maps), TRIED)).astype(int)]
    count, side = maps.shape[1], float(np.ptp(vertices, axis=0).max())
    held = np.zeros((len(vertices), count))
    np.add.at(held, (np.arange(len(vertices))[:, None], joints), weights)
    mass = held.sum(axis=0)
    middles = held.T @ vertices / np.maximum(mass, 1e-9)[:, None]
    costs, places = np.full((count, count), np.inf), np.zeros((count, count, 3))
    for i in range(count):
        for j in range(i):
            apart = some[:, i] - some[:, j]
            left, right = apart[..., :3].reshape(-1, 3), -apart[..., 3].ravel()
            middle = (middles[i] + middles[j]) / 2
            weak = 1e-6 * len(some)
            place = np.linalg.solve(left.T @ left + weak * np.eye(3), left.T @ right + weak * middle)
            gap = np.sqrt(np.square(left @ place - right).reshape(-1, 3).sum(axis=1).mean())
            costs[i, j] = costs[j, i] = (gap + 1e-4 * np.linalg.norm(place - middle)) / side
            places[i, j] = places[j, i] = place
    order, parents, heads = [int(mass.argmax())], [-1], [middles[mass.argmax()]]
    while len(order) < count:
        outside = [j for j in range(count) if j not in order]
        block = costs[np.ix_(order, outside)]
        a, b = np.unravel_index(block.argmin(), block.shape)
        parents.append(int(a))
        heads.append(places[order[a], outside[b]])
        order.append(outside[b])
    return np.array(parents), np.array(heads), np.array(order)


def _armature(parents: np.ndarray, heads: np.ndarray) -> Armature:
    count = len(parents)
    rest = np.tile(np.eye(4), (count, 1, 1))
    rest[:, :3, 3] = heads
    return Armature.of_free_bones(tuple(f"bone {j}" for j in range(count)), parents, rest, np.ones(count))


def _timed(work):
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def _row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
