"""Does jobs without a window, by the same code as the buttons, and waits for the end of each.

    blender -b [FILE.blend] --python motion324_addon/headless.py -- jobs.jsonl

does many, one JSON object per line (its fields: `JobItem` in motion324.core.jobs.job_item). With --items in place of a
job file, items come on stdin (batch/item_server.py). It works from the installed extension and from a checkout. The
backend's Python is that of the add-on's preferences, or of the variable MOTION324_BACKEND_PYTHON.
The exit code is 0 where all went well, 1 where an item failed, 2 where the job file cannot be read, 130 after Ctrl-C.
In Blender's own Python: `batch.blocking.animate_blocking`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

IMPORTING = 60.0  # seconds that Blender may take to begin; interrupted meanwhile, it crashes


def main() -> int:
    """Heeds Ctrl-C from the first import on, and to the end of the process."""
    if importlib.util.find_spec("motion324") is None:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "backend"))
    from motion324.core.errors import EXIT_CANCELLED, Cancelled
    from motion324.core.processes.interruption import Interruption

    interruption = Interruption()
    interruption.__enter__()
    usual, interruption.grace = interruption.grace, IMPORTING
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    try:
        batch = importlib.import_module(f"{_package_name()}.batch.batch_file")
        server = importlib.import_module(f"{_package_name()}.batch.item_server")
        interruption.look()
        interruption.grace = usual
        return int(batch.served(server.serve) if arguments == ["--items"] else batch.main(arguments))
    except (KeyboardInterrupt, Cancelled):
        pass
    except Exception:  # once somebody has asked to stop, what a library makes of that is no defect
        if not interruption.asked:
            raise
    finally:
        interruption.ignore_from_now()
    print("stopped; the same command goes on where it was", file=sys.stderr)
    return EXIT_CANCELLED


def _package_name() -> str:
    """The package that this script's folder is, since a script does not belong to one; imports it where need be."""
    folder = Path(__file__).resolve().parent
    for name, module in list(sys.modules.items()):
        if any(Path(path).resolve() == folder for path in getattr(module, "__path__", None) or ()):
            return name  # the extension is installed and switched on
    name = "motion324_addon"
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is no package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return name


def _end(code: int) -> None:
    """Has the process end with the code.

    Blender ends by itself after a good script, while it may take any SystemExit for a failure, that with 0 as well. As
    a Python module it may hang or crash while Python ends: with 4.5 when a class is still registered, with 4.2 after
    any glTF export. What it would still have removed then is its temporary folder.
    """
    import bpy  # here, since as a module it takes its time, in which Ctrl-C is to be heeded already

    if not bpy.app.binary_path:  # a module has none
        sys.stdout.flush()
        sys.stderr.flush()
        shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
        os._exit(code)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    _end(main())
