"""Reads Wavefront MTL, the materials of OBJ files with their textures, and the lines of both kinds of files, as every
program and system writes them.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.foreign_names import file_beside, short
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Material
from motion324.mesh.files.foreign import MOST_IMAGE_BYTES, MOST_MATERIAL_BYTES, read_regular
from motion324.mesh.textures import Textures

_BLOCK = 2**20  # bytes that are decoded at a time
_OPTION_WORDS = {"-blendu": 1, "-blendv": 1, "-cc": 1, "-clamp": 1, "-texres": 1, "-mm": 2, "-bm": 1, "-imfchan": 1}
_GREY = (0.8, 0.8, 0.8)


def logical_lines(data: bytes, progress: Progress) -> Iterator[str]:
    """Lines without their ends (LF, CR LF or CR), those that end with a backslash joined to the next by a space.

    Blanks may follow that backslash; a comment goes on nowhere, since it may end with the name of a folder.
    Encoded as `as_utf8` reads it; what is neither comes with replacement characters.
    """
    data = as_utf8(data)
    joined: list[str] = []
    for block in _blocks(data):
        progress("read", 0, 1)
        for line in block.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            bare = line.rstrip(" \t")
            if bare.endswith("\\") and (joined or not bare.lstrip().startswith("#")):
                joined += [bare[:-1], " "]
            elif joined:
                yield "".join([*joined, line])
                joined.clear()
            else:
                yield line
    if joined:
        yield "".join(joined)


def as_utf8(data: bytes) -> bytes:
    """A text file's content without its byte order mark, from UTF-8, UTF-16 or, with a mark, UTF-32."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # of which the first begins like one of UTF-16
        return data.decode("utf-32", errors="replace").encode()
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace").encode()
    start = data[:512]  # without a mark: in UTF-16 every second byte of plain letters is zero
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(start) > 3 and zeros.count(0) > 0.9 * len(zeros):
            return data.decode(encoding, errors="replace").encode()
    return data


def _blocks(data: bytes) -> Iterator[bytes]:
    """About _BLOCK bytes each, cut after line ends, which the blocks do not hold."""
    start = 0
    while start < len(data):
        cut = _last_end(data, start, min(start + _BLOCK, len(data))) if len(data) - start > _BLOCK else len(data)
        if cut < 0:
            cut = _first_end(data, start + _BLOCK)
        if data[cut : cut + 2] == b"\r\n":
            yield data[start:cut]
            start = cut + 2
        else:
            yield data[start:cut]
            start = cut + 1


def _last_end(data: bytes, start: int, stop: int) -> int:
    """The last LF or CR of data[start:stop], -1 for none; of a CR LF the CR."""
    place = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop))
    return place - 1 if place > start and data[place - 1 : place + 1] == b"\r\n" else place


def _first_end(data: bytes, start: int) -> int:
    ends = [place for mark in (b"\n", b"\r") if (place := data.find(mark, start)) >= 0]
    return min(ends, default=len(data))


class Materials:
    """Of one OBJ file. What cannot be read is told in `warnings`, and plain colours stand in for it."""

    def __init__(self, obj: Path, progress: Progress) -> None:
        self._obj = obj
        self._progress = progress
        self._textures = Textures(progress)
        self._known: dict[str, Material] = {}
        self.warnings: list[dict[str, str]] = []

    def read(self, library: str) -> None:
        """What follows `mtllib`: one name, which may hold spaces, or several names; a comment may come after them."""
        bare = _without_comment(library)
        whole = [name for name in dict.fromkeys((library, bare)) if self._exists(self._obj, name)][:1]
        for name in whole or bare.split():
            found = self._content(self._obj, name, MOST_MATERIAL_BYTES, "material file", "plain grey is used")
            if found is not None:
                self._read_mtl(*found)

    def named(self, name: str) -> Material | None:
        """What `usemtl name` means; the name may hold spaces, and a comment may come after it."""
        for candidate in (name, _without_comment(name), name.partition("#")[0]):
            found = self._known.get(_key(candidate))
            if found is not None:
                return found
        return None

    def _read_mtl(self, path: Path, content: bytes) -> None:
        statements: dict[str, dict[str, str]] = {}
        current: dict[str, str] = {}
        for line in logical_lines(content, self._progress):
            key, rest = _split(line)
            if key == "newmtl":
                current = statements.setdefault(rest, {})
            elif key and not key.startswith("#"):
                current[key.lower()] = rest
        for name, values in statements.items():
            self._known[_key(name)] = self._material(path, name, values)

    def _material(self, path: Path, name: str, values: dict[str, str]) -> Material:
        """Kd is taken as sRGB, as modelling programs show it; with a map_Kd that is nearly black, Kd is ignored."""
        colour = _numbers(values.get("kd", ""))[:3]
        colour = colour * 3 if len(colour) == 1 else colour if len(colour) == 3 else list(_GREY)
        opacity = _numbers(values.get("d", "").rpartition(" ")[2]) or [
            1.0 - value for value in _numbers(values.get("tr", ""))
        ]
        texture = self._texture(path, values["map_kd"]) if values.get("map_kd") else None
        if texture is not None and ("kd" not in values or max(colour) < 0.02):
            colour = [1.0, 1.0, 1.0]
        red, green, blue, alpha = (float(np.clip(value, 0, 1)) for value in [*colour, *(opacity[:1] or [1.0])])
        return Material(name=name, base_colour=(red, green, blue, alpha), texture=texture)

    def _texture(self, mtl: Path, value: str) -> np.ndarray | None:
        name = _texture_name(value)
        if not self._exists(mtl, name):
            name = _without_comment(name)
        found = self._content(mtl, name, MOST_IMAGE_BYTES, "texture", "the material's plain colour is used")
        if found is None:
            return None
        texture, why = self._textures.decode(found[1], found[0].name)
        if texture is None:
            self._warn(f"The texture '{found[0]}' cannot be decoded: {why}; the material's plain colour is used.")
        return texture

    def _content(self, owner: Path, name: str, most: int, what: str, instead: str) -> tuple[Path, bytes] | None:
        """What `owner` names, beside or below it; for a path of another machine, the file of that name beside it."""
        why = ""
        for candidate in dict.fromkeys((name, name.replace("\\", "/").rpartition("/")[2])):
            try:
                path = file_beside(owner, candidate)
                return path, read_regular(path, most, self._progress)
            except Cancelled:
                raise
            except FileNotFoundError:
                why = why or "it is missing"
            except OSError as error:
                why = why or (error.strerror or str(error)).lower()
            except Motion324Error as error:
                why = why or error.sentence.rstrip(".")
        self._warn(f"The {what} '{short(name)}' of '{owner}' is not read ({why}); {instead}.")
        return None

    def _exists(self, owner: Path, name: str) -> bool:
        try:
            return file_beside(owner, name).exists()
        except (Motion324Error, OSError):
            return False

    def _warn(self, sentence: str) -> None:
        self.warnings.append({"code": "mesh-materials", "sentence": sentence})


def _split(line: str) -> tuple[str, str]:
    words = line.split(None, 1)
    return (words[0], words[1].strip() if len(words) > 1 else "") if words else ("", "")


def _key(name: str) -> str:
    return " ".join(name.split())


def _without_comment(name: str) -> str:
    """Names may hold a #, as 3ds Max's "Material #25" does: a comment is one only where nothing else fits."""
    for mark in (" #", "\t#"):
        name = name.partition(mark)[0]
    return name.strip()


def _numbers(text: str) -> list[float]:
    """The finite numbers that a line begins with."""
    return list(_each_number(text.split()))


def _each_number(words: list[str]) -> Iterator[float]:
    for word in words:
        try:
            value = float(word)
        except ValueError:
            return
        if not math.isfinite(value):
            return
        yield value


def _texture_name(value: str) -> str:
    """`map_Kd [-option value ...] file name`: the name may hold spaces, and come from another system."""
    words = value.split()
    taken = 0
    while taken < len(words) - 1 and words[taken].startswith("-"):
        option = words[taken]
        taken += 1
        if option in ("-o", "-s", "-t"):  # one to three numbers
            taken += min(len(_numbers(" ".join(words[taken : taken + 3]))), len(words) - 1 - taken)
        else:
            taken += _OPTION_WORDS.get(option, 1)
    rest = value.split(None, taken)[-1] if taken else value
    return rest.strip().strip('"')
