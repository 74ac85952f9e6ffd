"""Rigged GLBs as engines play them: three.js under Node, and Godot 3's server build, where these are there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

THREE = Path(__file__).resolve().parents[2] / ".cache" / "three" / "node_modules"
needs_three = pytest.mark.skipif(not (shutil.which("node") and THREE.is_dir()), reason="needs node and npm's three")
needs_godot = pytest.mark.skipif(not shutil.which("godot3-server"), reason="needs godot3-server")

_THREE = """
import fs from "node:fs";
globalThis.self = globalThis;
const [path, count, rate, modules] = process.argv.slice(2);
const THREE = await import(modules + "/three/build/three.module.js");
const { GLTFLoader } = await import(modules + "/three/examples/jsm/loaders/GLTFLoader.js");
const data = fs.readFileSync(path);
const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const gltf = await new Promise((done, fail) => new GLTFLoader().parse(buffer, "", done, fail));
const mixer = new THREE.AnimationMixer(gltf.scene);
const action = mixer.clipAction(gltf.animations[0]);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
let mesh;
gltf.scene.traverse((each) => { if (each.isSkinnedMesh) mesh = each; });
const vertices = [], heads = {}, place = new THREE.Vector3();
for (const bone of mesh.skeleton.bones) heads[bone.name] = [];
for (let frame = 0; frame < +count; frame++) {
    mixer.setTime(frame / +rate);
    gltf.scene.updateMatrixWorld(true);
    mesh.skeleton.update();
    for (const bone of mesh.skeleton.bones) heads[bone.name].push(bone.getWorldPosition(place).toArray());
    const shown = [];
    for (let k = 0; k < mesh.geometry.attributes.position.count; k++) {
        place.fromBufferAttribute(mesh.geometry.attributes.position, k);
        shown.push(mesh.applyBoneTransform(k, place).applyMatrix4(mesh.matrixWorld).toArray());
    }
    vertices.push(shown);
}
console.log(JSON.stringify({ heads, vertices }));
"""
_GODOT = """
extends SceneTree
func _find(node, kind):
	if node.is_class(kind):
		return node
	for child in node.get_children():
		var found = _find(child, kind)
		if found:
			return found
	return null
func _init():
	var scene = load("res://rig.glb").instance()
	get_root().add_child(scene)
	var player = _find(scene, "AnimationPlayer")
	var skeleton = _find(scene, "Skeleton")
	var above = Transform()
	var node = skeleton
	while node is Spatial:
		above = node.transform * above
		node = node.get_parent()
	player.play(player.get_animation_list()[0])
	for frame in range(FRAMES):
		player.seek(frame / RATE, true)
		for bone in range(skeleton.get_bone_count()):
			var place = (above * skeleton.get_bone_global_pose(bone)).origin
			print("BONE ", skeleton.get_bone_name(bone), " ", place.x, " ", place.y, " ", place.z)
	quit()
"""  # fmt: skip


def played_by_three(path: Path, frames: int, fps: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The bones' heads (T, 3) by their names without dots, and the vertices (T, N, 3); Z up."""
    script = path.with_suffix(".mjs")
    script.write_text(_THREE)
    command = ["node", str(script), str(path), str(frames), str(fps), str(THREE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(done.stdout)
    return {name: _z_up(np.array(heads)) for name, heads in found["heads"].items()}, _z_up(np.array(found["vertices"]))


def played_by_godot(path: Path, frames: int, fps: int, folder: Path) -> dict[str, np.ndarray]:
    """The bones' heads (T, 3) by their names with underscores for dots; Z up. Imported at that rate, unthinned."""
    project = folder / "project"
    project.mkdir()
    shutil.copy(path, project / "rig.glb")
    (project / "project.godot").write_text('config_version=4\n[application]\nconfig/name="rig"\n')
    (project / "read.gd").write_text(_GODOT.replace("FRAMES", str(frames)).replace("RATE", f"{fps}.0"))
    environment = {**os.environ, "HOME": str(folder)}
    to_import = ["godot3-server", "--path", str(project), "--editor", "--quit"]
    subprocess.run(to_import, env=environment, capture_output=True, timeout=120)
    settings = project / "rig.glb.import"
    text = re.sub(r"^animation/fps=.*$", f"animation/fps={fps}", settings.read_text(), flags=re.MULTILINE)
    settings.write_text(text.replace("animation/optimizer/enabled=true", "animation/optimizer/enabled=false"))
    shutil.rmtree(project / ".import")
    subprocess.run(to_import, env=environment, capture_output=True, timeout=120)
    command = ["godot3-server", "--path", str(project), "-s", "read.gd"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    heads: dict[str, list[list[float]]] = {}
    for name, *place in re.findall(r"^BONE (\S+) (\S+) (\S+) (\S+)$", done.stdout, re.MULTILINE):
        heads.setdefault(name, []).append([float(value) for value in place])
    return {name: _z_up(np.array(places)) for name, places in heads.items()}


def _z_up(points: np.ndarray) -> np.ndarray:
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
