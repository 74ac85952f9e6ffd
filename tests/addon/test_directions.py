"""Who may import whom in the add-on, read from its files: nothing is imported for this, and no Blender is needed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "motion324_addon"
BACKEND = ADDON.parent / "backend" / "motion324"
# What each room may import of the others, from the lowest to the highest. The operators and the panels, at the top,
# import neither each other, nor does anybody import them.
MAY_IMPORT = {
    "runner_base": set(),
    "scene": set(),
    "job": {"runner_base", "scene"},
    "installation": {"runner_base", "job"},
    "settings": {"runner_base", "scene", "job", "installation"},
    "ui": {"runner_base", "scene", "job", "settings"},
    "examining": {"runner_base", "scene", "job", "settings", "ui"},
    "batch": {"runner_base", "scene", "job", "installation", "settings"},
    "operators": {"runner_base", "scene", "job", "installation", "settings", "ui", "examining", "batch"},
    "panels": {"runner_base", "scene", "job", "installation", "settings", "ui", "examining"},
}
SCENE_MAY_IMPORT = {
    "reading": {"playing"},  # frames of the scene, F-curves and what an object is known by
    "playing": {"reading"},
    "exporting": {"reading", "playing"},
    "rigging": {"reading", "playing"},
    "showing": {"reading", "playing", "exporting"},
    "correcting": {"reading", "playing", "exporting", "showing"},
}
# Small modules of ui/ that import no other room but scene/, and which settings and the installation are drawn with.
LEAVES = {"ui.text_lines", "ui.choices", "ui.phrases", "ui.own_language", "ui.translations.by_language"}
OF_MOTION324 = ("motion324.core", "motion324.client")
# Who talks to the backend by motion324.client; the panels and the operators do not.
OF_CLIENT = {"job.backend", "job.worker", "job.rig_request", "job.keeping_bones", "examining.examiner"}
WIRES = {"socket", "socketserver", "ssl", "http", "urllib.request", "multiprocessing"}


def imports_of(path: Path) -> dict[str, set[str]]:
    """ "own": modules of the add-on as "job.runner"; "other": modules by their whole names."""
    parts = path.relative_to(ADDON).with_suffix("").parts
    package = list(parts[:-1])
    found: dict[str, set[str]] = {"own": set(), "other": set()}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found["other"] |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found["other"] |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                found["own"].add(".".join(base if is_file(base) else [*base, alias.name]))
    return found


def is_file(parts: list[str]) -> bool:
    return bool(parts) and ADDON.joinpath(*parts).with_suffix(".py").is_file()


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ADDON).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(ADDON.rglob("*.py")) if path.parent != ADDON}
IMPORTS = {name: imports_of(path) for name, path in FILES.items()}


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_every_room_imports_only_rooms_below_it():
    assert {room_of(name) for name in FILES} == set(MAY_IMPORT)
    wrong = [
        f"{name} imports {other}"
        for name, imports in IMPORTS.items()
        for other in imports["own"]
        if room_of(other) not in MAY_IMPORT[room_of(name)] | {room_of(name)} and other not in LEAVES
    ]
    print(
        "\n".join(f"{room:13} may import {', '.join(sorted(rooms)) or 'nothing'}" for room, rooms in MAY_IMPORT.items())
    )
    assert not wrong


def test_the_scene_knows_nothing_of_jobs_buttons_and_sockets():
    for name in [each for each in FILES if room_of(each) == "scene"]:
        assert all(room_of(other) == "scene" for other in IMPORTS[name]["own"]), name
        inner = name.split(".")
        if len(inner) > 2:
            rooms = {other.split(".")[1] for other in IMPORTS[name]["own"]} - {inner[1]}
            assert rooms <= SCENE_MAY_IMPORT[inner[1]], name


def test_small_modules_that_are_imported_from_below_import_no_room_above():
    for name in LEAVES:
        words = {other for other in IMPORTS[name]["own"] if other.startswith("ui.translations.")}
        assert {room_of(other) for other in IMPORTS[name]["own"] - LEAVES - words} <= {"scene"}, name


def test_only_the_job_and_the_looks_talk_to_the_backend():
    for name, imports in IMPORTS.items():
        wires = imports["other"] & WIRES
        assert not wires or room_of(name) == "installation", name
        client = [other for other in imports["other"] if other.startswith("motion324.client")]
        assert not client or name in OF_CLIENT, name


def test_of_the_backend_only_core_and_client_are_imported():
    for name, imports in IMPORTS.items():
        ours = {other for other in imports["other"] if other.partition(".")[0] == "motion324"}
        for other in ours - {"motion324", "motion324.__version__"}:
            assert other.startswith(OF_MOTION324), f"{name} imports {other}"


@pytest.mark.parametrize("name", ["job.transitions", "installation.transitions", "examining.look"])
def test_what_changes_a_state_knows_no_blender_no_clock_and_no_thread(name):
    assert not {other.partition(".")[0] for other in IMPORTS[name]["other"]} & {"bpy", "time", "threading", "queue"}


def test_workers_know_no_blender():
    seen, left = set(), ["runner_base.worker", "job.worker", "installation.worker"]
    while left:
        name = left.pop()
        if name in seen or name not in IMPORTS or name.startswith("scene."):
            continue  # of the scene they take what was read, and read nothing
        seen.add(name)
        assert "bpy" not in IMPORTS[name]["other"], name
        left += IMPORTS[name]["own"]


def test_every_room_says_what_it_is_for():
    rooms = [path for path in ADDON.rglob("__init__.py") if path.parent != ADDON]
    for path in rooms:
        said = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert said and "import" in said, f"{path} does not say who may import the room"


def test_no_file_is_longer_than_300_lines():
    assert not [name for name, path in FILES.items() if len(path.read_text("utf-8").splitlines()) > 300]
