"""From a trajectory to a file with keyed bones: onto the rig of a file, or with a rig that is made from the motion.

A Blender process reads and writes the files (motion324.blender.blender_rig_script); the bones are found here.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from motion324.blender.blender_reading import blender_script, blender_to_write, run_in_blender
from motion324.core.errors import EXIT_BAD_MESH, EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.trajectory_file import Trajectory
from motion324.core.files.write_aside import told_full, written_aside
from motion324.core.inside_blender.rig.exporting import ENDINGS
from motion324.core.options.animate_options import bad_option
from motion324.core.options.rig_settings import RigSettings
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh, turned_z_up
from motion324.core.rigs.rig import RiggedMotion
from motion324.core.rigs.rig_file import load_rig, save_rig
from motion324.rigging.rig import rig_trajectory

STATES = ("now", "begin", "rest")  # of a file, as the script has them
Y_UP = (".glb", ".gltf")  # files whose axes are such by their standard
SAME = 2e-3  # of the longest side: as far may a vertex of the rig be from one of the trajectory's first frame


def key_rig_of_file(
    trajectory: Trajectory,
    source: Path,
    target: Path,
    settings: RigSettings,
    *,
    blender: Path | None = None,
    progress: Progress = silent,
) -> RiggedMotion:
    """Writes `source`, a rigged mesh file, as `target`, with its bones keyed after the trajectory.

    Raises Motion324Error: "bad-option", "blender-not-found", "rig-unusable", "mesh-differs", "export-failed", what
    motion324.rigging.own_rig.fit_armature raises, "cannot-write", "disk-full".
    """
    executable = _blender_for(target, blender)
    with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
        _run(executable, ["read", str(source.resolve()), folder, settings.armature or ""], source, progress)
        state, world = _matched(trajectory.positions, Path(folder), source)
        rig_file = Path(folder) / f"rig_{state}.npz"
        armature, skin, _, more = load_rig(rig_file)
        inverse = np.linalg.inv(more["to_world"])
        positions = (world @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.float32)
        rigged = rig_trajectory(positions, np.zeros((0, 3), np.int32), settings, armature, skin, progress=progress)
        save_rig(rig_file, armature, skin, rigged.motion)
        with _written(target) as aside:
            files = [str(each.resolve()) for each in (source, rig_file, aside)]
            arguments = ["write", *files[:2], state, repr(trajectory.fps), files[2], settings.armature or ""]
            _run(executable, arguments, target, progress, writes=True)
    return rigged


def make_rig_file(
    trajectory: Trajectory,
    target: Path,
    settings: RigSettings,
    mesh: ReferenceMesh | None = None,
    *,
    blender: Path | None = None,
    progress: Progress = silent,
) -> RiggedMotion:
    """Writes the trajectory as a mesh with a rig that is made for it. mesh: what was animated, for its looks, and which
    axis is up; without it the mesh is grey, and its Y is up.

    Raises Motion324Error as `key_rig_of_file` does, and what motion324.rigging.made_rig.make_rig raises.
    """
    executable = _blender_for(target, blender)
    if mesh is not None and mesh.positions.shape != trajectory.positions.shape[1:]:
        raise _differs("the mesh")
    is_up = mesh is not None and mesh.up == "Z"
    positions = trajectory.positions if is_up else turned_z_up(trajectory.positions)
    rigged = rig_trajectory(positions, trajectory.faces, settings, progress=progress)
    with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
        rig_file = Path(folder) / "rig.npz"
        save_rig(rig_file, rigged.armature, rigged.skin, rigged.motion, **_looks(trajectory, mesh))
        with _written(target) as aside:
            arguments = ["make", str(rig_file), repr(trajectory.fps), str(aside.resolve())]
            _run(executable, arguments, target, progress, writes=True)
    return rigged


def _blender_for(target: Path, blender: Path | None) -> Path:
    if target.suffix.lower() not in ENDINGS:
        raise bad_option("output", f"is '{target}'; it must end in {' or '.join(ENDINGS)}")
    return blender_to_write(target, blender)


def _matched(positions: np.ndarray, folder: Path, source: Path) -> tuple[str, np.ndarray]:
    """The state of the file in which it was animated, see blender_rig_script, and the trajectory in its order."""
    for file in sorted(folder.glob("rig_*.npz"), key=lambda file: STATES.index(file.stem.partition("_")[2])):
        *_, more = load_rig(file)
        found = _in_order(positions, more["shown"], source.suffix.lower() in Y_UP)
        if found is not None:
            return file.stem.partition("_")[2], found
    raise _differs(f"the rigged mesh of '{source}', neither as the file shows it nor in its rest pose")


def _in_order(positions: np.ndarray, shown: np.ndarray, y_up: bool) -> np.ndarray | None:
    """The trajectory (T, M, 3) of the rig's vertices, with Z up: matched by where they are in the first frame, since
    readers of files order vertices in their own ways. shown (M, 3): the rig's, in the world. None: it is not the same.

    y_up: whether the rig's file has Y up, which is then likelier of the trajectory: what looks the same from above and
    from the front, such as a tube, fits both ways, and only vertices in the same order are a proof.
    """
    side = max(float(np.ptp(shown, axis=0).max()), 1e-12)
    candidates = [positions, turned_z_up(positions)]
    for candidate in candidates:
        alike = candidate.shape[1] == len(shown)
        if alike and np.linalg.norm(candidate[0] - shown, axis=1).max() <= SAME * side:
            return candidate  # in which coincident vertices have an order, too
    for candidate in reversed(candidates) if y_up else candidates:
        distances, nearest = cKDTree(candidate[0]).query(shown)
        if distances.max() <= SAME * side:
            return candidate[:, nearest]
    return None


def _differs(what: str) -> Motion324Error:
    return Motion324Error(
        "mesh-differs",
        f"The trajectory's first frame is not {what}.",
        "Give the very file that was animated, in the pose that it had.",
        EXIT_BAD_MESH,
    )


def _looks(trajectory: Trajectory, mesh: ReferenceMesh | None) -> dict[str, np.ndarray]:
    faces = np.asarray(trajectory.faces, np.int32)
    if mesh is None:
        grey = np.array([[0.8, 0.8, 0.8, 1.0]])
        return {"faces": faces, "face_material": np.zeros(len(faces), np.int32), "base_colours": grey}
    looks = {
        "faces": mesh.faces,
        "face_material": mesh.face_material,
        "base_colours": np.array([material.base_colour for material in mesh.materials], np.float64),
    }
    looks |= {f"texture_{k}": each.texture for k, each in enumerate(mesh.materials) if each.texture is not None}
    more = {"corner_uv": mesh.corner_uv, "vertex_colour": mesh.vertex_colour}
    return looks | {name: values for name, values in more.items() if values is not None}


def _written(target: Path) -> contextlib.AbstractContextManager[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    return written_aside(target)


def _run(executable: Path, arguments: list[str], file: Path, progress: Progress, writes: bool = False) -> None:
    def tell(stage: str, done: int, total: int) -> None:
        progress("write" if writes else "read", done, total)

    try:
        run_in_blender(executable, blender_script("blender_rig_script.py"), arguments, file, tell)
    except Motion324Error as error:
        if error.code != "mesh-unreadable":
            raise
        said = error.sentence.split("': ", 1)[-1]
        if writes:
            raise told_full(file, said) or Motion324Error(
                "export-failed", f"Blender could not write '{file}': {said}", "", EXIT_CANNOT_WRITE
            ) from error
        sentence = f"The rig of '{file}' cannot be used: {said}"
        raise Motion324Error("rig-unusable", sentence, "", EXIT_BAD_MESH) from error
