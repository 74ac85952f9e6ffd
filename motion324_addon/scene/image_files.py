"""Files for pictures that have none, while an exporter runs that embeds files only."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy


@contextlib.contextmanager
def images_as_files(obj: bpy.types.Object) -> Iterator[None]:
    """Gives a temporary file to every packed, generated or painted picture of the object's materials.

    Pictures that GLB files bring along are of this kind. Their paths are put back at the end.
    """
    trees = [slot.material.node_tree for slot in obj.material_slots if slot.material]
    images = [image for image in _images(trees) if image.has_data or image.packed_file]
    before: list[tuple[bpy.types.Image, str]] = []
    with tempfile.TemporaryDirectory(prefix="motion324-images-") as folder:
        try:
            for number, image in enumerate(images):
                if image.packed_file is None and image.filepath and Path(bpy.path.abspath(image.filepath)).is_file():
                    continue
                suffix = ".jpg" if image.file_format == "JPEG" and image.packed_file else ".png"
                path = Path(folder) / f"{number:03d}_{bpy.path.clean_name(Path(image.name).stem)}{suffix}"
                image.save(filepath=str(path), save_copy=True)
                before.append((image, image.filepath_raw))
                image.filepath_raw = str(path)
            yield
        finally:
            for image, path in before:
                image.filepath_raw = path


def _images(trees: list[bpy.types.NodeTree | None]) -> list[bpy.types.Image]:
    """All pictures that nodes show, through groups, each once."""
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
