"""Runs inside Blender, or a Python that has bpy: does the items of job files that motion324.blender.item_process sends.

Not part of the backend's own process. Its arguments are the folder of the extension in a checkout ("" for none) and
that of the package safetensors, which the extension brings along and a checkout does not. The installed extension is
taken where there is one.
"""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path

EXTENSION = ".motion324"  # behind "bl_ext." and the name of a repository


def main(checkout: str, safetensors: str) -> None:
    """Does not return before the items have ended."""
    script = installed() or from_checkout(checkout, safetensors)
    sys.argv = [str(script), "--", "--items"]
    runpy.run_path(str(script), run_name="__main__")


def installed() -> Path | None:
    """The script of the extension, switched on; None where none is installed."""
    import bpy  # first: it tells Python where Blender's own modules are

    assert bpy.app.version
    import addon_utils  # type: ignore[import-not-found]

    names = [module.__name__ for module in addon_utils.modules()]
    name = next((name for name in names if name.startswith("bl_ext.") and name.endswith(EXTENSION)), None)
    if name is None:
        return None
    addon_utils.enable(name)
    file = importlib.import_module(name).__file__
    return Path(file).with_name("headless.py") if file else None


def from_checkout(folder: str, safetensors: str) -> Path:
    script = Path(folder) / "headless.py"
    if not folder or not script.is_file():
        raise SystemExit("motion324-error: this Blender has no extension Motion324; install its zip")
    if importlib.util.find_spec("safetensors") is None:
        spec = importlib.util.spec_from_file_location(
            "safetensors", Path(safetensors) / "__init__.py", submodule_search_locations=[safetensors]
        )
        if spec is None or spec.loader is None:
            raise SystemExit(f"motion324-error: there is no package in '{safetensors}'")
        package = importlib.util.module_from_spec(spec)
        sys.modules["safetensors"] = package
        spec.loader.exec_module(package)
    return script


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :]
    main(given[0], given[1])
