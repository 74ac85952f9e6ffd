"""Files for pictures that have none, while an exporter runs that embeds files only."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy
import numpy as np


@contextlib.contextmanager
def images_as_files(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Gives a temporary file to every packed, generated or painted picture of the objects' materials.

    Pictures that GLB files bring along are of this kind. Their paths are put back at the end.
    """
    before: list[tuple[bpy.types.Image, str]] = []
    with tempfile.TemporaryDirectory(prefix="motion324-images-") as folder:
        try:
            for number, image in enumerate(images_of(objects)):
                has_file = image.filepath and Path(bpy.path.abspath(image.filepath)).is_file()
                if (has_file and not image.packed_file) or not (image.packed_file or image.has_data):
                    continue
                path = Path(folder) / f"{number:03d}_{bpy.path.clean_name(Path(image.name).stem)}.png"
                if not image.packed_file:
                    _save_copy(image, path)
                before.append((image, image.filepath_raw))
                image.filepath_raw = str(path)  # of a packed picture only the name is used
            yield
        finally:
            for image, path in before:
                image.filepath_raw = path


def _save_copy(image: bpy.types.Image, path: Path) -> None:
    """As a PNG; `Image.save` itself would make the picture one that lies in that file, in 4.2 always."""
    width, height = image.size
    copy = bpy.data.images.new(image.name, width, height, alpha=True)
    try:
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        copy.pixels.foreach_set(pixels)
        copy.filepath_raw, copy.file_format = str(path), "PNG"
        copy.save()
    finally:
        bpy.data.images.remove(copy)


def images_of(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Image]:
    """All pictures that nodes of the objects' materials show, through groups, each once."""
    trees = [slot.material.node_tree for obj in objects for slot in obj.material_slots if slot.material]
    found: dict[str, bpy.types.Image] = {}
    seen = set()
    while trees:
        tree = trees.pop()
        if tree is None or tree in seen:
            continue
        seen.add(tree)
        for node in tree.nodes:
            if node.type == "TEX_IMAGE" and node.image:
                found[node.image.name_full] = node.image
            elif node.type == "GROUP":
                trees.append(node.node_tree)
    return list(found.values())
