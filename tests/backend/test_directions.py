"""Holds the rooms' directions: what stands below never imports what stands above, or beside, it.

ORDER is the plan, with what the code has taught: `mesh/files/` stands above `blender/`, which it starts for .blend and
FBX, while Blender's readers need only `mesh/`'s geometry; `view/`, which needs mesh and video, stands below
`trajectories/`, whose overlay draws with its rasteriser; `evaluation/` stands below `rendering/`, which draws what an
evaluation aligned; `server/` stands above the reconstructors, whose interface tells it what each of them needs.

Every import counts, also one inside of a function or for types only, and every string that is a module's name.
"""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "backend" / "motion324"
ADDON = ROOT / "motion324_addon"
TESTS = ROOT / "tests" / "backend"

# From below to above; rooms of one line stand beside each other.
ORDER = (
    ("core",),
    ("core.options", "core.processes"),
    ("core.files",),
    ("core.motion",),
    ("core.rigs", "core.jobs"),
    ("core.inside_blender",),
    ("wire",),
    ("client",),
    ("video", "mesh"),
    ("blender",),
    ("mesh.files",),
    ("view",),
    ("weights", "trajectories", "rigging"),
    ("reconstructors", "mesh_providers"),
    ("evaluation",),
    ("rendering",),
    ("pipeline",),
    ("server", "from_video"),
    ("batches",),
    ("training.shared",),
    ("training.synthesis",),
    ("training.clips", "training.game_models"),
    ("training.transformer", "training.node_model"),
    ("training",),
    ("cli",),
)
HEIGHTS = {room: height for height, rooms in enumerate(ORDER) for room in rooms}

# Rooms that only these may import, although others stand above them as well.
ONLY_FOR = {
    "wire": {"client", "server", "cli"},
    "client": set(),
    "server": {"cli"},
    "training.transformer": {"training", "cli"},
    "training.node_model": {"training", "cli"},
}
# What a room knows nothing of, although it stands below.
UNKNOWN_TO = {
    "reconstructors": {"blender", "mesh.files", "weights.hub", "video.decoding", "video.sampling", "video.source"},
    "mesh_providers": {"blender", "video", "weights"},
}
# What Blender's Python has, or is brought by the extension.
PACKAGES = {"core": {"numpy"}, "wire": {"numpy", "safetensors"}, "client": {"numpy", "safetensors"}}
OF_BLENDER = {"io_scene_fbx"}  # comes with it, and is for what runs in it: core/inside_blender/

ADDON_MAY_IMPORT = ("motion324.core", "motion324.client")


@dataclass(frozen=True)
class Import:
    """module: with the imported name behind it, where that is a name: 'motion324.core.errors.Cancelled'."""

    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def read_imports(file: Path, with_strings: bool = True) -> Iterator[Import]:
    """All imports of a file, wherever they stand in it, and the strings that are the name of a backend's module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (Import(file, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(file, node.lineno, f"a relative import: {ast.unparse(node)}")
        elif with_strings and isinstance(node, ast.Constant) and names_module(node.value):
            yield Import(file, node.lineno, str(node.value))


def names_module(text: object) -> bool:
    if not isinstance(text, str) or not text.startswith("motion324."):
        return False
    path = BACKEND.parent.joinpath(*text.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def room_of(module: str) -> str | None:
    """The room that a module of motion324 lies in; None: it is of the package itself, as its version is, or foreign."""
    parts = module.split(".")
    if parts[0] != "motion324":
        return None
    below = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
    return next((room for room in below if room in HEIGHTS), None)


def room_of_file(file: Path) -> str | None:
    return room_of(".".join(file.relative_to(BACKEND.parent).with_suffix("").parts))


def fault(room: str, found: Import) -> str | None:
    """What is wrong with an import that a file in `room` makes; None: nothing."""
    other = room_of(found.module)
    if other is None or other == room:
        return None
    if HEIGHTS[other] >= HEIGHTS[room]:
        where = "beside" if HEIGHTS[other] == HEIGHTS[room] else "above"
        return f"{found}: {room} imports {found.module}, but {other} stands {where} {room}"
    if other in ONLY_FOR and room not in ONLY_FOR[other]:
        allowed = ", ".join(sorted(ONLY_FOR[other])) or "the add-on"
        return f"{found}: {room} imports {found.module}, but {other} is for {allowed} only"
    unknown = next((name for name in UNKNOWN_TO.get(room, ()) if is_within(found.module, f"motion324.{name}")), None)
    return f"{found}: {room} imports {found.module}, but {room} knows nothing of {unknown}" if unknown else None


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Of all files of the backend."""
    return [found for file in sorted(BACKEND.rglob("*.py")) for found in read_imports(file)]


def test_no_room_imports_what_stands_above_or_beside_it(imports):
    print("\n" + " <- ".join(" | ".join(rooms) for rooms in ORDER))
    faults = []
    for found in imports:
        room = room_of_file(found.file)
        problem = fault(room, found) if room else None
        if problem:
            faults.append(problem)
    assert not faults, "\n" + "\n".join(faults)


def test_core_wire_and_client_need_no_packages_that_blender_lacks(imports):
    faults = []
    for found in imports:
        room, package = room_of_file(found.file), found.module.split(".")[0]
        there = OF_BLENDER if "inside_blender" in found.file.parts else set()
        allowed = PACKAGES.get(room.split(".")[0]) if room else None
        if allowed is not None and package not in allowed | there | {"motion324"} | sys.stdlib_module_names:
            faults.append(f"{found}: {room} imports {found.module}, but it may import {sorted(allowed)} only")
    assert not faults, "\n" + "\n".join(faults)


def test_the_backend_imports_nothing_of_the_addon_and_nothing_relatively(imports):
    faults = [
        f"{found}: {found.module}" for found in imports if found.module.startswith(("motion324_addon", "a relative"))
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_the_addon_imports_core_and_client_only():
    """And the package's version. A module's name in a string does not count: the backend's Python runs that."""
    faults = []
    for file in sorted(ADDON.rglob("*.py")):
        for found in read_imports(file, with_strings=False):
            module = module_part(found.module)
            if room_of(module) is not None and not any(is_within(module, room) for room in ADDON_MAY_IMPORT):
                faults.append(f"{found}: the add-on imports {module}, but it may import core and client only")
    assert not faults, "\n" + "\n".join(faults)


def module_part(module: str) -> str:
    """Without the name behind the module's."""
    return module if names_module(module) else module.rpartition(".")[0]


def test_nothing_lies_flat_and_every_file_is_in_a_room_of_the_order():
    flat = sorted(file.name for file in BACKEND.glob("*.py"))
    assert flat == ["__init__.py", "__main__.py"]
    homeless = [
        str(file.relative_to(ROOT))
        for file in BACKEND.rglob("*.py")
        if not room_of_file(file) and file.parent != BACKEND
    ]
    assert not homeless, f"No room of the order holds these: {homeless}"


def test_the_folders_of_tests_mirror_the_rooms():
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    strangers = sorted(str(folder) for folder in folders if not (BACKEND / folder).is_dir())
    assert not strangers, f"These folders of tests have no room of their name: {strangers}"


def test_the_installed_command_is_there():
    project = tomllib.loads((BACKEND.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for command, target in project["scripts"].items():
        module, _, function = target.partition(":")
        assert names_module(module), f"The command {command} is {target}, but there is no module {module}"
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    ("room", "module", "said"),
    [
        ("mesh", "motion324.mesh.files.reading.read_mesh", "mesh.files stands above mesh"),
        ("core.options", "motion324.core.files.write_aside", "core.files stands above core.options"),
        ("video", "motion324.mesh.checks", "mesh stands beside video"),
        ("training.node_model", "motion324.training.transformer.trainer", "training.transformer stands beside"),
        ("pipeline", "motion324.wire.protocol", "wire is for cli, client, server only"),
        ("reconstructors", "motion324.video.decoding.read_video", "reconstructors knows nothing of video.decoding"),
    ],
)
def test_an_arrow_that_is_wrong_is_named_with_file_line_and_rooms(room, module, said):
    message = fault(room, Import(BACKEND / "some" / "file.py", 7, module))
    assert message.startswith("backend/motion324/some/file.py:7: ")
    assert room in message and said in message


@pytest.mark.parametrize(
    ("room", "module"),
    [
        ("mesh.files", "motion324.mesh.checks.check_mesh"),
        ("reconstructors", "motion324.video.optical_flow"),
        ("core", "motion324.__version__"),
        ("core.rigs", "motion324.core.motion.retiming"),
        ("training", "motion324.training.node_model.export"),
        ("cli", "motion324.wire.protocol"),
    ],
)
def test_an_arrow_that_is_right_has_no_fault(room, module):
    assert fault(room, Import(BACKEND / "some" / "file.py", 7, module)) is None


def test_imports_inside_of_functions_and_names_in_strings_are_read(tmp_path):
    file = tmp_path / "module.py"
    file.write_text('def f():\n    from motion324.cli import main\n    return main, "motion324.server.server"\n')
    assert [(found.line, found.module) for found in read_imports(file)] == [
        (2, "motion324.cli.main"),
        (3, "motion324.server.server"),
    ]
