"""Tells by a package's copyright file, in Debian's machine-readable format (version 1.0), which of its files may be
taken: those that are dedicated to the public domain or licensed CC0, CC BY or CC BY-SA.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from motion324.training.game_models.game_errors import missing_data

FREE = re.compile(r"^(CC0|CC-BY(-SA)?)(-\d\.\d)?$|^public-domain$", re.IGNORECASE)


@dataclass(frozen=True)
class Copyright:
    """paragraphs: patterns of files, the names of their licences, whoever holds the copyright."""

    paragraphs: tuple[tuple[tuple[str, ...], str, str], ...]

    def licence(self, path: str) -> str:
        """Of the last paragraph that is about the file, as the format rules; "" where none is."""
        return self._about(path)[0]

    def holders(self, path: str) -> str:
        return self._about(path)[1]

    def is_free(self, paths: Iterable[str]) -> bool:
        """Whether all the files may be taken; of several licences to choose from one is enough."""
        return all(
            any(FREE.match(each.strip()) for each in re.split(r"\s+or\s+|,", self.licence(path))) for path in paths
        )

    def _about(self, path: str) -> tuple[str, str]:
        number = self._plain.get(path, -1)
        for index in range(len(self.paragraphs) - 1, number, -1):
            patterns, licence, holders = self.paragraphs[index]
            if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns if "*" in pattern or "?" in pattern):
                return licence, holders
        return self.paragraphs[number][1:] if number >= 0 else ("", "")

    @cached_property
    def _plain(self) -> dict[str, int]:
        """The last paragraph that names a file without wildcards."""
        return {pattern: index for index, (patterns, *_) in enumerate(self.paragraphs) for pattern in patterns}


def read_copyright(folder: Path, package: str) -> Copyright:
    """Of an unpacked package. Raises Motion324Error("game-data-missing")."""
    path = folder / "usr/share/doc" / package / "copyright"
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise missing_data(
            folder, f"copyright file of the package {package}, which says what may be used", package
        ) from error
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
        if "Files" in fields:
            licence = fields.get("License", "").strip().split("\n")[0].strip()
            holders = " ".join(fields.get("Copyright", "").split())
            found.append((tuple(fields["Files"].split()), licence, holders))
    return Copyright(tuple(found))
