"""Makes mesh files such that Blender's importers read all of them, and no more: copies without a byte order mark, in
UTF-8, without what glTF hides, without extensions that are required and concern no geometry, and without the names of
files that lie elsewhere than beside or below them, or are none.

Where nothing of that is in a file, Blender gets the file itself.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import re
import shutil
import struct
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.foreign_names import file_beside
from motion324.core.files.gltf_extensions import DRACO, VISIBILITY, concerns_no_geometry, is_visible
from motion324.core.files.json_text import read_json

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_LONGEST_HEADER = 256 << 20  # bytes of glTF's JSON that are looked at
_LIBRARIES = re.compile(rb"^[ \t]*mtllib[ \t]+([^\r\n]*)", re.MULTILINE)
_WHITE = (  # a picture of one pixel
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
)
_DRACO_MARK = b"DRACO"
_MAPS = ("map_", "bump", "disp", "norm", "decal", "refl")
log = logging.getLogger(__name__)


@contextlib.contextmanager
def readable_by_blender(path: Path) -> Iterator[Path]:
    """The file, or a copy of it that is there for a while. Raises Motion324Error("mesh-unreadable"), OSError."""
    suffix = path.suffix.lower()
    with tempfile.TemporaryDirectory(prefix="motion324-mesh-") as folder:
        copy = None
        if suffix == ".obj":
            copy = _plain_obj(path, Path(folder))
        elif suffix in (".glb", ".gltf"):
            copy = _plain_gltf(path, Path(folder))
        yield copy or path


def _plain_obj(path: Path, folder: Path) -> Path | None:
    """A copy in UTF-8 without a mark, its materials beside it; None where the file is so already."""
    text = _marked_text(path)
    if text is None:
        data = path.read_bytes()
        named = [found[1].decode("utf-8", "replace").strip() for found in _LIBRARIES.finditer(data)]
        if not any(_leads_out(path, name) or _names_elsewhere(path.parent / name) for name in named):
            return None
        text = data.decode("utf-8", "replace")
    lines = []
    for line in text.splitlines():
        kind, _, name = line.strip().partition(" ")
        if kind == "mtllib" and _leads_out(path, name.strip()):
            log.warning("'%s' names the materials '%s', which are not beside or below it: left out", path, name)
            continue
        if kind == "mtllib":
            _copy_materials(path.parent, name.strip(), folder)
        lines.append(line)
    copy = folder / path.name
    copy.write_text("\n".join(lines) + "\n", "utf-8")
    return copy


def _leads_out(owner: Path, name: str) -> bool:
    """Whether a name that a file gives is not that of a regular file beside or below it, if there is something. A
    backslash separates folders in some of Blender's importers only."""
    if "\\" in name:
        return True
    try:
        path = file_beside(owner, name)
    except Motion324Error:
        return True
    return path.exists() and not path.is_file()


def _copy_materials(source: Path, name: str, folder: Path) -> None:
    """A file of materials that lies beside the mesh, whose pictures are then named by their whole paths."""
    path = source / name
    if Path(name).name != name or not path.is_file():
        return
    lines = []
    for line in _text_of(path).splitlines():
        picture = _picture_in(line)
        if picture and _leads_out(path, picture):
            log.warning("'%s' names the picture '%s', which is not beside or below it: left out", path, picture)
            continue
        lines.append(line.replace(picture, str((source / picture).resolve())) if picture else line)
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


def _names_elsewhere(path: Path) -> bool:
    """Whether a file of materials names a picture that is not beside or below it."""
    if not path.is_file():
        return False
    found = map(_picture_in, _text_of(path).splitlines())
    return any(_leads_out(path, picture) for picture in found if picture)


def _picture_in(line: str) -> str:
    """Which picture a line of materials names, or ""; options come before it."""
    kind, *rest = line.split() or [""]
    return rest[-1] if rest and kind.lower().startswith(_MAPS) else ""


def _text_of(path: Path) -> str:
    return _marked_text(path) or path.read_text("utf-8", "replace")


def _marked_text(path: Path) -> str | None:
    """The text of a file that begins with a byte order mark; None for others."""
    with path.open("rb") as file:
        start = file.read(3)
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    return None if encoding is None else path.read_text(encoding, "replace")


def _plain_gltf(path: Path, folder: Path) -> Path | None:
    """None where the file has nothing that is to be changed, or cannot be understood: then Blender says so."""
    with path.open("rb") as file:
        try:
            header = _header_of(file, path.suffix.lower() == ".glb")
            if header is None or not _made_plain(header, path, file):
                return None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error):
            return None
        for described in (*header.get("buffers", ()), *header.get("images", ())):
            uri = described.get("uri")
            if isinstance(uri, str) and not uri.startswith("data:"):  # a file beside it
                described["uri"] = urllib.parse.quote(str(path.parent.resolve() / urllib.parse.unquote(uri)))
        text = json.dumps(header).encode()
        copy = folder / path.name
        with copy.open("wb") as written:
            if path.suffix.lower() == ".gltf":
                written.write(text)
                return copy
            text += b" " * (-len(text) % 4)
            rest = path.stat().st_size - file.tell()
            written.write(struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + rest, len(text), 0x4E4F534A) + text)
            shutil.copyfileobj(file, written)
    return copy


def _header_of(file: BinaryIO, is_glb: bool) -> dict[str, Any] | None:
    """glTF's JSON; the file is behind it then. Raises ValueError, struct.error."""
    if not is_glb:
        return dict(read_json(file.read(_LONGEST_HEADER).decode("utf-8-sig")))
    mark, _, _, length, kind = struct.unpack("<4sIIII", file.read(20))
    if mark != b"glTF" or kind != 0x4E4F534A or length > _LONGEST_HEADER:
        return None
    return dict(read_json(file.read(length).decode()))


def _made_plain(header: dict[str, Any], path: Path, file: BinaryIO) -> bool:
    """Whether something was taken out of the header. Raises Motion324Error for data that is named but not there."""
    outside = _without_files_elsewhere(header, path)
    _check_compressed(header, path, file)
    required = [str(name) for name in header.get("extensionsRequired", ())]
    kept = [name for name in required if name != VISIBILITY and not concerns_no_geometry(name)]
    hidden = _hidden(header.get("nodes", ()))
    for number in hidden:
        header["nodes"][number].pop("mesh", None)
    if kept:
        header["extensionsRequired"] = kept
    else:
        header.pop("extensionsRequired", None)
    return outside or len(kept) < len(required) or bool(hidden)


def _without_files_elsewhere(header: dict[str, Any], path: Path) -> bool:
    """Whether pictures were left out. Raises Motion324Error for other data."""
    found = False
    for kind in ("buffers", "images"):
        for described in header.get(kind, ()):
            uri = described.get("uri")
            if not isinstance(uri, str) or uri.startswith("data:"):
                continue
            name = urllib.parse.unquote(uri)
            if not _leads_out(path, name):
                continue
            sentence = (
                f"The file '{path}' names the file '{name[:80]}'; only regular files beside or below it are read."
            )
            if kind == "buffers":
                raise Motion324Error(
                    "mesh-names-outside", sentence, "Put the file beside it and name it so.", EXIT_BAD_MESH
                )
            log.warning(sentence)
            described["uri"], found = _WHITE, True
    return found


def _hidden(nodes: list[dict[str, Any]]) -> set[int]:
    """The nodes that are hidden, by themselves or by one above them."""
    todo = [number for number, node in enumerate(nodes) if not is_visible(node)]
    found: set[int] = set()
    while todo:
        number = todo.pop()
        if number not in found:
            found.add(number)
            todo.extend(nodes[number].get("children", ()))
    return found


def _check_compressed(header: dict[str, Any], path: Path, file: BinaryIO) -> None:
    """Blender leaves out what names Draco without its data, or takes it for points that all lie at one place."""
    if DRACO not in header.get("extensionsUsed", ()):
        return
    for mesh in header.get("meshes", ()):
        for part in mesh["primitives"]:
            places = header["accessors"][part["attributes"]["POSITION"]]
            packed = part.get("extensions", {}).get(DRACO)
            if packed is not None:
                missing = not _is_draco(header, header["bufferViews"][packed["bufferView"]], path, file)
            else:
                missing = not {"bufferView", "sparse"} & places.keys()
            if missing:
                raise Motion324Error(
                    "mesh-unreadable",
                    f"The mesh file '{path}' needs the glTF extension {DRACO}, whose data is damaged or missing.",
                    "Export it again without compression, for example through Blender.",
                    EXIT_BAD_MESH,
                )


def _is_draco(header: dict[str, Any], view: dict[str, Any], path: Path, file: BinaryIO) -> bool:
    """Whether what the view shows begins as Draco's data does. file: behind the header, where it is put back."""
    uri, offset = header["buffers"][view["buffer"]].get("uri"), int(view.get("byteOffset", 0))
    if uri is None:  # the file's own
        place = file.tell()
        file.seek(place + 8 + offset)
        start = file.read(len(_DRACO_MARK))
        file.seek(place)
        return start == _DRACO_MARK
    if uri.startswith("data:"):
        return True  # Blender tells
    try:
        with (path.parent / urllib.parse.unquote(uri)).open("rb") as buffer:
            buffer.seek(offset)
            return buffer.read(len(_DRACO_MARK)) == _DRACO_MARK
    except OSError:
        return False
