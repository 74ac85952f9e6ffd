"""What results become for game engines: `motion324 engine`, rigs; `motion324 vat`, vertex animation textures; and
`motion324 retime`, the same trajectory cut, looped, resampled or in place."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion324.cli.option_flags import add_flags, chosen_of
from motion324.cli.terminal import Terminal, working
from motion324.core.errors import EXIT_OK
from motion324.core.files.input_files import InputFile, check_inputs_stay
from motion324.core.options.engine_settings import ROOT, EngineSettings, MotionEdits, VertexTextures
from motion324.core.options.option_group import bad_option

if TYPE_CHECKING:
    from motion324.core.motion.edited_motion import EditedMotion
    from motion324.core.reference_mesh import ReferenceMesh
    from motion324.trajectories.result_reading import FoundResult


def add_engine_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "engine",
        help="write a rigged, moving mesh for Unreal, Unity, Godot or the web",
        description="Writes a mesh that bones move, such as `motion324 rig` makes, as a game engine takes it. Needs "
        "Blender.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rig", metavar="RIG", type=Path, help="a .blend, .glb, .gltf or .fbx")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the .fbx or .glb to write")
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, or a Python with bpy")
    add_flags(parser, EngineSettings)
    add_flags(parser, MotionEdits)
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run_engine)
    return parser


def run_engine(arguments: argparse.Namespace) -> int:
    from motion324.mesh.files.reading import check_mesh_file
    from motion324.pipeline.engine_file import write_engine_file

    settings, edits = chosen_of(arguments, EngineSettings), chosen_of(arguments, MotionEdits)
    check_mesh_file(arguments.rig)
    check_inputs_stay([arguments.output], [InputFile("rig", arguments.rig)])
    terminal = Terminal(as_json=arguments.json)
    with working(terminal):
        done = write_engine_file(
            arguments.rig, arguments.output, settings, edits, blender=arguments.blender, progress=terminal.progress
        )
    for warning in done.warnings:
        terminal.warn(warning["sentence"])
    values = {"ok": True, "output": str(arguments.output), **dataclasses.asdict(done)}
    print(json.dumps(values, ensure_ascii=False) if arguments.json else f"{done.told}: {arguments.output}")
    return EXIT_OK


def add_vat_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "vat",
        help="write a result as vertex animation textures for game engines",
        description="Writes the motion as two pictures, of positions and of normals, with a JSON file that says how to "
        "read them, and the mesh as a GLB whose second texture coordinates point into them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.add_argument("--name", metavar="NAME", help="of the files; default: the mesh's name")
    add_flags(parser, VertexTextures)
    parser.set_defaults(run=run_vat)
    return parser


def add_retime_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "retime",
        help="cut, loop or resample a result",
        description="Writes the result anew: a range of its frames, a loop that closes, another frame rate, or the "
        "body in place. Leaves trajectory.npz, animation.pc2 and retime.json in DIR, and with --mesh animated.glb.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.set_defaults(run=run_retime)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "result", metavar="RESULT", type=Path, help="the folder of `motion324 animate`, or its trajectory.npz"
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of what is written")
    parser.add_argument("--mesh", metavar="MESH", type=Path, help="the mesh that was animated, for its materials")
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.add_argument(
        "--up", choices=("Y", "Z"), help="the up axis of the result; default: what MESH or the report say, else Y"
    )
    add_flags(parser, MotionEdits)
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")


def run_vat(arguments: argparse.Namespace) -> int:
    from motion324.core.files.vertex_textures import files_of
    from motion324.pipeline.output_folder import OutputFolder
    from motion324.trajectories.texture_files import write_texture_files

    options = chosen_of(arguments, VertexTextures)
    edits = chosen_of(arguments, MotionEdits)
    terminal = Terminal(as_json=arguments.json)
    found, mesh = _read(arguments, terminal)
    name = _name(arguments.name or mesh.name)
    _check_targets(arguments, found, files_of(arguments.output / f"{name}.json", options))
    motion = _edited(found, mesh, edits)
    with OutputFolder(arguments.output) as folder:
        terminal.progress("write", 0, 1)
        written = write_texture_files(folder.staging / f"{name}.json", mesh, motion, options)
    terminal.clear()
    _tell(
        arguments,
        terminal,
        motion,
        [*written.warnings],
        {
            "files": [str(arguments.output / file.name) for file in written.files],
            "largest_error": written.largest_error,
        },
    )
    return EXIT_OK


def run_retime(arguments: argparse.Namespace) -> int:
    from motion324.core.files.point_cache import write_pc2
    from motion324.core.files.trajectory_file import save_trajectory
    from motion324.core.files.write_aside import written_aside
    from motion324.core.result import AnimationResult
    from motion324.mesh.files.gltf_writing import write_glb
    from motion324.pipeline.output_folder import OutputFolder
    from motion324.trajectories.result_files import POINT_CACHE, TRAJECTORY

    edits = chosen_of(arguments, MotionEdits)
    if edits.root_motion == ROOT:
        raise bad_option("root-motion", "is 'root', but a trajectory has no root; choose keep or in-place")
    terminal = Terminal(as_json=arguments.json)
    found, mesh = _read(arguments, terminal)
    names = [TRAJECTORY, POINT_CACHE, "retime.json", *(["animated.glb"] if arguments.mesh else [])]
    _check_targets(arguments, found, [arguments.output / name for name in names])
    motion = _edited(found, mesh, edits)
    before = found.trajectory
    result = AnimationResult(motion.positions, before.frame_numbers[motion.source_frames], motion.fps, before.view)
    with OutputFolder(arguments.output) as folder:
        terminal.progress("write", 0, 1)
        save_trajectory(folder.staging / TRAJECTORY, result, before.faces)
        write_pc2(folder.staging / POINT_CACHE, motion.positions)
        if arguments.mesh:
            still = dataclasses.replace(mesh, positions=motion.positions[0])
            write_glb(folder.staging / "animated.glb", still, motion.positions, motion.fps)
        with written_aside(folder.staging / "retime.json") as aside:
            told = {"options": edits.to_dict(), "frames": len(motion.positions), "fps": motion.fps, **motion.report}
            aside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    terminal.clear()
    _tell(arguments, terminal, motion, [], {"files": [str(arguments.output / name) for name in names]})
    return EXIT_OK


def _read(arguments: argparse.Namespace, terminal: Terminal) -> tuple[FoundResult, ReferenceMesh]:
    from motion324.trajectories.result_reading import mesh_of, read_result

    terminal.progress("read", 0, 1)
    found = read_result(arguments.result)
    return found, mesh_of(found, arguments.mesh, arguments.blender, arguments.up, terminal.progress)


def _edited(found: FoundResult, mesh: ReferenceMesh, edits: MotionEdits) -> EditedMotion:
    from motion324.core.motion.edited_motion import edit_motion

    return edit_motion(found.trajectory.positions, found.trajectory.fps, mesh.up, edits)


def _check_targets(arguments: argparse.Namespace, found: FoundResult, targets: Any) -> None:
    inputs = [InputFile("result", found.path)]
    if arguments.mesh is not None:
        inputs.append(InputFile("mesh", arguments.mesh))
    check_inputs_stay(targets, inputs)


def _name(wanted: str) -> str:
    """As a file may be called."""
    name = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in wanted).strip(". ")
    return name or "mesh"


def _tell(
    arguments: argparse.Namespace,
    terminal: Terminal,
    motion: EditedMotion,
    warnings: list[dict[str, str]],
    more: dict[str, Any],
) -> None:
    warnings = [*motion.warnings, *warnings]
    for warning in warnings:
        terminal.warn(warning["sentence"])
    values = {"ok": True, "frames": len(motion.positions), "fps": motion.fps, **motion.report, **more}
    if arguments.json:
        print(json.dumps({**values, "warnings": warnings}, ensure_ascii=False))
        return
    said = f"{len(motion.positions)} frames at {motion.fps:g} a second"
    if "loop" in motion.report:
        loop = motion.report["loop"]
        said += (
            f", a loop from frame {loop['first']} on, whose end was {100 * loop['step']:.2f} % of the size off its "
            f"beginning before it was closed ({100 * loop['step_of_whole']:.2f} % for the whole)"
        )
    if "largest_error" in more:
        said += f", vertices within {100 * more['largest_error']:.4f} % of the size"
    print(f"{said}: {arguments.output}")
