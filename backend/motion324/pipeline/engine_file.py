"""From a file with a rigged, moving mesh to a file for a game engine, by a Blender process."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from motion324.blender.blender_reading import blender_script, blender_to_write, run_in_blender
from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.write_aside import told_full, written_aside
from motion324.core.inside_blender.rig.engine_export import ExportedRig
from motion324.core.options.animate_options import bad_option
from motion324.core.options.engine_settings import ENDINGS, EngineSettings, MotionEdits
from motion324.core.progress import Progress, silent


def write_engine_file(
    source: Path,
    target: Path,
    settings: EngineSettings,
    edits: MotionEdits,
    *,
    blender: Path | None = None,
    progress: Progress = silent,
) -> ExportedRig:
    """Writes `source`, a .blend, .glb, .gltf or .fbx, as `target`; that has the whole file, or stays as it was.

    Raises Motion324Error: "bad-option", "blender-not-found", "rig-unusable", "cannot-write" or "disk-full".
    """
    ending = ENDINGS[settings.engine]
    if target.suffix.lower() != ending:
        raise bad_option("output", f"is '{target}'; for {settings.engine} it must end in {ending}")
    executable = blender_to_write(target, blender)
    script = blender_script("blender_engine_script.py")
    with tempfile.TemporaryDirectory(prefix="motion324-") as folder, written_aside(target) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        asked, told = Path(folder) / "asked.json", Path(folder) / "told.json"
        wishes = {"settings": settings.to_dict(), "edits": edits.to_dict()}
        asked.write_text(json.dumps(wishes), encoding="utf-8")
        files = [str(each.resolve()) for each in (source, aside, asked, told)]
        try:
            run_in_blender(executable, script, files, source, progress)
            return ExportedRig(**json.loads(told.read_text(encoding="utf-8")))
        except Motion324Error as error:
            if error.code != "mesh-unreadable":
                raise
            why = error.sentence.split("': ", 1)[-1]
            raise told_full(target, why) or Motion324Error(
                "rig-unusable", f"'{source}' cannot be written for {settings.engine}: {why}", "", EXIT_BAD_MESH
            ) from error
