"""`motion324 rig`: a result as keyframes on bones, of a given rig or of one that is made from the motion."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.cli.option_flags import add_flags, chosen_of
from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_OK
from motion324.core.files.input_files import InputFile, check_inputs_stay
from motion324.core.options.animate_options import bad_option
from motion324.core.options.rig_settings import AUTO, RigSettings

if TYPE_CHECKING:
    from motion324.core.rigs.rig import RiggedMotion

RIGGED = (".glb", ".gltf", ".fbx", ".blend")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "rig",
        help="turn a result into keyframes on bones",
        description="Writes a mesh with bones that move it as the result does: those of a given file's rig, or bones "
        "that are made from the motion. Needs Blender, which writes the file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "result", metavar="RESULT", type=Path, help="the folder that `motion324 animate` left, or its trajectory.npz"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="the .glb, .fbx or .blend to write"
    )
    parser.add_argument(
        "--onto", metavar="RIG", type=Path, help="key the bones of this file's rig: the .glb, .fbx or .blend animated"
    )
    parser.add_argument(
        "--mesh", metavar="MESH", type=Path, help="the mesh that was animated, for the looks of one with a made rig"
    )
    add_flags(parser, RigSettings)
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, or a Python with bpy")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run)
    return parser


def rig_settings_of(arguments: argparse.Namespace) -> RigSettings:
    """Raises Motion324Error("bad-option")."""
    if arguments.bones == AUTO:
        arguments.bones = None
    return chosen_of(arguments, RigSettings)


def run(arguments: argparse.Namespace) -> int:
    settings = rig_settings_of(arguments)
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        rigged = _rig(arguments, settings, terminal)
    for warning in rigged.motion.warnings:
        terminal.warn(warning["sentence"])
    summary = _summary(arguments, rigged)
    print(json.dumps(summary, ensure_ascii=False) if arguments.json else _sentence(arguments, rigged))
    return EXIT_OK


def _rig(arguments: argparse.Namespace, settings: RigSettings, terminal: Terminal) -> RiggedMotion:
    from motion324.core.files.trajectory_file import load_trajectory
    from motion324.mesh.files.reading import check_mesh_file, read_mesh
    from motion324.pipeline.rig_files import key_rig_of_file, make_rig_file
    from motion324.trajectories.result_files import TRAJECTORY

    path = arguments.result / TRAJECTORY if arguments.result.is_dir() else arguments.result
    settings.check_counts(with_given=arguments.onto is not None)
    inputs = {"trajectory": path, "rig": arguments.onto, "mesh": arguments.mesh}
    check_inputs_stay([arguments.output], [InputFile(kind, file) for kind, file in inputs.items() if file is not None])
    trajectory = load_trajectory(path)
    if arguments.onto is not None:
        check_mesh_file(arguments.onto)
        if arguments.onto.suffix.lower() not in RIGGED:
            raise bad_option(
                "onto", f"is '{arguments.onto}'; it must end in {' or '.join(RIGGED)}, which can have a rig"
            )
        return key_rig_of_file(
            trajectory,
            arguments.onto,
            arguments.output,
            settings,
            blender=arguments.blender,
            progress=terminal.progress,
        )
    mesh = None
    if arguments.mesh is not None:
        mesh = read_mesh(arguments.mesh, blender=arguments.blender, progress=terminal.progress)
    return make_rig_file(
        trajectory, arguments.output, settings, mesh, blender=arguments.blender, progress=terminal.progress
    )


def _summary(arguments: argparse.Namespace, rigged: RiggedMotion) -> dict[str, Any]:
    motion = rigged.motion
    return {
        "ok": True,
        "output": str(arguments.output),
        "frames": len(motion.mean),
        "bones": rigged.armature.count,
        "keyed": int((motion.turned | motion.moved).sum()),
        "mean": [round(float(value), 6) for value in motion.mean],
        "largest": [round(float(value), 6) for value in motion.largest],
        "report": motion.report,
    }


def _sentence(arguments: argparse.Namespace, rigged: RiggedMotion) -> str:
    motion = rigged.motion
    worst = int(motion.largest.argmax())
    return (
        f"{len(motion.mean)} frames on {int((motion.turned | motion.moved).sum())} bones, "
        f"{100 * motion.mean.mean():.2f} % of the longest side from the trajectory on average, "
        f"{100 * motion.largest[worst]:.1f} % at most (frame {worst}): {arguments.output}"
    )
