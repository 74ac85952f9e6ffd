"""Runs one of our scripts in a Blender process, or a Python that has bpy, and says how that ended.

Not part of the backend's own process: motion324.blender.blender_reading.run_in_blender starts it with the arguments
SCRIPT ARGUMENT... The script's `main` is called with the arguments, as text. Where that fails, it prints
`motion324-error: SENTENCE` and ends with code 3.
"""

import importlib.util
import os
import sys
from pathlib import Path


def run(script: str, arguments: list[str]) -> int:
    """The exit code."""
    know_motion324()
    from motion324.core.inside_blender.operator_words import said_by_operator

    spec = importlib.util.spec_from_file_location("motion324_script", script)
    if spec is None or spec.loader is None:
        raise ValueError(f"'{script}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        module.main(*arguments)
    except Exception as error:
        said = said_by_operator(error) if str(error).strip() else type(error).__name__
        print(f"motion324-error: {said}", file=sys.stderr, flush=True)
        return 3
    return 0


def know_motion324() -> None:
    """Lets scripts import motion324.core, which needs numpy only, and nothing else that lies beside it: the folder
    above has packages for another Python than Blender's."""
    if "motion324" in sys.modules:
        return
    folder = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "motion324", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no package in '{folder}'")
    package = importlib.util.module_from_spec(spec)
    sys.modules["motion324"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :]
    code = run(given[0], given[1:])
    blender = sys.modules.get("bpy")
    if blender is not None and not blender.app.binary_path:  # a module, which can wait for its own threads for ever
        sys.stdout.flush()
        os._exit(code)
    if code:  # Blender takes any SystemExit for a failure, that with 0 as well
        sys.exit(code)
