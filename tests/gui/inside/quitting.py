"""Blender quits in the middle of a job."""

from __future__ import annotations

import bpy
import stage
from driver import Driver, Wait


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    bpy.context.preferences.addons[stage.PACKAGE].preferences.backend_python = backend
    bpy.ops.mesh.primitive_uv_sphere_add()
    bpy.context.scene.motion324.video = video
    with driver.context():
        bpy.ops.motion324.animate("INVOKE_DEFAULT")
    runner = stage.module("job.runner").runner
    yield from driver.wait_until(lambda: runner.state.frames_ready > 2, 300, "frames arrive")
    assert [modifier.type for modifier in bpy.context.object.modifiers] == ["MESH_CACHE"]
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "saved.blend"))
    assert not bpy.data.is_dirty
    assert [modifier.type for modifier in bpy.context.object.modifiers] == ["MESH_CACHE"]
    folder = bpy.path.abspath(bpy.context.object.modifiers[0].filepath)
    return {"backend_process": stage.module("job.backend").pid(), "preview": folder}
