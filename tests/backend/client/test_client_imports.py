"""Importing the client takes next to nothing, since Blender imports it whenever it starts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import motion324.client


def loaded_by(statement: str) -> set[str]:
    code = f"import json, sys; {statement}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_importing_the_client_imports_no_package_and_none_of_the_wire():
    loaded = loaded_by("import motion324.client")
    assert not loaded & {"numpy", "scipy", "cv2", "safetensors", "socket", "subprocess", "dataclasses", "logging"}
    assert not any(name.startswith(("motion324.wire", "motion324.core")) for name in loaded)


def test_what_a_job_needs_of_the_client_imports_numpy_alone_of_all_packages():
    loaded = loaded_by("from motion324.client import AnimateRequest, Client, start_server")
    assert "numpy" in loaded
    assert not loaded & {"scipy", "cv2", "av", "onnxruntime", "numba", "urllib.request", "importlib.metadata"}


def test_every_name_of_the_client_is_there():
    for name in motion324.client.__all__:
        assert getattr(getattr(motion324.client, name), "__name__", name) == name  # Event is a union, which has none
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = motion324.client.nothing_like_it
