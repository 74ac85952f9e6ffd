"""How exactly rigs come back from the files for each engine. Prints a table in Markdown.

    .venv-blender/bin/python benchmarks/round_trips.py RIG.blend [RIG.blend ...]

RIG.blend: as `motion324 rig RESULT -o RIG.blend` writes it; the scene's frames are exported by each preset, and read
back by Blender's importers, by ufbx (FBX) and by pygltflib (GLB). "bones", "vertices": the largest distance over all
frames of a bone's head and of a vertex to what the scene shows, in parts of the mesh's longest side; of vertices to the
nearest, since glTF splits them. "faults": what Khronos' validator finds, where `make .cache/gltf-validator/.made` has
fetched it. The last row of each rig has the sizes of its mesh with shape keys.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "backend"), str(ROOT / "tests")]

import bpy  # noqa: E402  it and the next are found only on the path above
import numpy as np  # noqa: E402
from addon.readers import IMPORT, SkinnedGlb, distance, read_fbx  # noqa: E402
from addon.rigs import heads_in_world, vertices_in_world  # noqa: E402
from gltf_validator import VALIDATOR, issues  # noqa: E402

from motion324.core.options.engine_settings import EngineSettings, MotionEdits  # noqa: E402
from motion324_addon.scene.exporting import engine_rig, export  # noqa: E402
from motion324_addon.scene.playing import shape_keys  # noqa: E402
from motion324_addon.scene.playing.timing import Timing, scene_fps  # noqa: E402

ENGINES = {"unreal": ".fbx", "unity": ".fbx", "godot": ".glb"}


def main() -> None:
    row("rig", "frames x vertices", "bones", "engine", "MB", *["bones", "vertices"] * 2, "faults")
    row("", "", "", "", "", "by Blender", "", "by ufbx, pygltflib", "", "")
    row(*["---"] * 10)
    with tempfile.TemporaryDirectory(prefix="motion324-round-trips-") as folder:
        for rig in map(Path, sys.argv[1:]):
            for engine, ending in ENGINES.items():
                trip(rig, engine, Path(folder) / f"{rig.stem}_{engine}{ending}")
            with_shape_keys(rig, Path(folder))


def trip(rig: Path, engine: str, path: Path) -> None:
    obj, frames = opened(rig)
    fps = scene_fps(bpy.context.scene)
    vertices, heads = vertices_in_world(obj, frames), heads_in_world(obj.find_armature(), frames)
    size = float(np.ptp(vertices[0], axis=0).max())
    told = engine_rig.export_for_engine(
        obj, path, frames[0], frames[-1], EngineSettings(engine=engine), MotionEdits(), lambda *_: None, ()
    )
    read, read_heads = by_others(path, engine, len(frames), fps)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = round(fps)  # the importer of GLBs knows whole rates only
    IMPORT[path.suffix](str(path))
    (back,) = (each for each in bpy.data.objects if each.type == "MESH" and each.find_armature())
    shown, shown_heads = (
        vertices_in_world(back, range(len(frames))),
        heads_in_world(back.find_armature(), range(len(frames))),
    )
    row(
        rig.stem,
        "{} x {:,}".format(*vertices.shape[:2]),
        told.bones,
        engine,
        f"{path.stat().st_size / 1e6:.2f}",
        f"{of_heads(shown_heads, heads) / size:.1e}",
        f"{of_vertices(shown, vertices) / size:.1e}",
        f"{of_heads(read_heads, heads) / size:.1e}",
        f"{of_vertices(read, vertices) / size:.1e}",
        len(issues(path)) if path.suffix == ".glb" and VALIDATOR.is_dir() else "",
    )


def with_shape_keys(rig: Path, folder: Path) -> None:
    obj, frames = opened(rig)
    positions = vertices_in_world(obj, frames)
    obj.modifiers.clear()
    obj.parent = None
    obj.matrix_world.identity()
    for _ in shape_keys.bake(obj, positions.astype(np.float32), Timing(1, frames[0], len(frames))):
        pass
    sizes = []
    for ending in (".fbx", ".glb"):
        path = folder / f"{rig.stem}_keys{ending}"
        export.export(obj, path, frames[0], frames[-1])
        sizes.append(f"{ending} {path.stat().st_size / 1e6:.2f}")
    row(rig.stem, "", "", "shape keys", ", ".join(sizes), *[""] * 5)


def opened(rig: Path) -> tuple[bpy.types.Object, range]:
    bpy.ops.wm.open_mainfile(filepath=str(rig.absolute()))
    (obj,) = (each for each in bpy.data.objects if each.type == "MESH" and each.find_armature())
    return obj, range(bpy.context.scene.frame_start, bpy.context.scene.frame_end + 1)


def by_others(path: Path, engine: str, frames: int, fps: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices (T, N, 3) and heads (T, 3) by name, in metres with Z up."""
    if path.suffix == ".glb":
        glb = SkinnedGlb(path)
        times = np.arange(frames) / fps
        heads = np.array([glb.heads(time) for time in times])
        return np.array([glb.skinned(time) for time in times]), {name: heads[:, k] for k, name in enumerate(glb.names)}
    file = read_fbx(path, frames, fps)

    def metres(places: np.ndarray) -> np.ndarray:
        places = places * file["unit"]
        return np.stack([places[..., 0], -places[..., 2], places[..., 1]], -1) if engine == "unity" else places

    nodes = {name: metres(file["nodes"][:, k, :3, 3]) for k, name in enumerate(file["names"].tolist())}
    return metres(file["skinned"]), nodes


def of_heads(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    return max(float(np.linalg.norm(found[name] - places, axis=-1).max()) for name, places in wanted.items())


def of_vertices(found: np.ndarray, wanted: np.ndarray) -> float:
    return max(distance(one, other) for one, other in zip(found, wanted, strict=True))


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
