"""Khronos' own validator, for GLBs of the backend and of the add-on. `make test-all` fetches it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

VALIDATOR = Path(__file__).resolve().parents[1] / ".cache" / "gltf-validator" / "node_modules"
SCRIPT = """
const validator = require("gltf-validator"), fs = require("fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 50})
    .then(report => console.log(JSON.stringify(report.issues)));
"""
needs_validator = pytest.mark.skipif(
    not (shutil.which("node") and VALIDATOR.is_dir()), reason="needs node and npm's gltf-validator"
)


def issues(path: Path) -> list[str]:
    """Errors and warnings, a line each."""
    environment = {**os.environ, "NODE_PATH": str(VALIDATOR)}
    done = subprocess.run(
        ["node", "-e", SCRIPT, str(path)], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    assert not found["truncated"]
    return [f"{each['code']} at {each['pointer']}" for each in found["messages"] if each["severity"] < 2]
