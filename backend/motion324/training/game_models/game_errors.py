"""Says what is wrong with a game's data, in one way for all games."""

from __future__ import annotations

from pathlib import Path

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error


def broken_file(name: str, kind: str, package: str = "") -> Motion324Error:
    """kind: what the file is not. package: Debian's that it is from; "" where several games have such files."""
    source = f"package {package}" if package else "game's package"
    return Motion324Error(
        "game-file-broken",
        f"The file '{name}' is no {kind} that can be read.",
        f"Unpack the {source} anew.",
        EXIT_BAD_MESH,
    )


def missing_data(folder: Path, lacks: str, package: str) -> Motion324Error:
    """lacks: what the folder does not hold. package: Debian's that has it."""
    return Motion324Error(
        "game-data-missing",
        f"The folder '{folder}' holds no {lacks}.",
        f"Unpack Debian's package there: dpkg -x {package}_*.deb '{folder}'.",
        EXIT_BAD_MESH,
    )
