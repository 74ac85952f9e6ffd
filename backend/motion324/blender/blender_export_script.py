"""Runs inside Blender, or a Python that has bpy: writes the meshes of an FBX or .blend file to an .npz file.

Not part of the backend's own process: motion324.blender.blender_reading starts it with the arguments
SOURCE TARGET LONGEST_TEXTURE_SIDE. It needs nothing but bpy and numpy, and works with Blender 4.2 to 5.x;
motion324.blender.blender_launcher runs it.

The .npz holds positions (N, 3), faces (F, 3), corner_uv (F, 3, 2), vertex_colour (N, 3), face_material (F,),
base_colours (M, 4), texture_K (H, W, 4) uint8 for materials with an image, and `header`: JSON in UTF-8 with the names
of parts and materials and whether there are texture coordinates and vertex colours.
"""

import json
import sys
from typing import Any

import numpy as np

WHITE = (1.0, 1.0, 1.0, 1.0)
PLAIN = (0.8, 0.8, 0.8, 1.0)


def main(source: str, target: str, longest_side: str) -> None:
    import bpy

    if source.lower().endswith(".blend"):
        bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
    else:
        bpy.ops.wm.read_homefile(use_empty=True)
        if not hasattr(bpy.types, "IMPORT_SCENE_OT_fbx"):
            import addon_utils  # type: ignore[import-not-found]  # Blender's own

            addon_utils.enable("io_scene_fbx")
        bpy.ops.import_scene.fbx(filepath=source)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    materials = Materials(int(longest_side))
    parts = [part for part in (read_object(item, materials) for item in visible_meshes(bpy, depsgraph)) if part]
    if not parts:
        raise RuntimeError("it holds no visible mesh object with faces")
    offsets = np.cumsum([0] + [len(part["positions"]) for part in parts])
    arrays: dict[str, Any] = {
        key: np.concatenate([part[key] for part in parts])
        for key in ("positions", "corner_uv", "vertex_colour", "face_material")
    }
    arrays["faces"] = np.concatenate([part["faces"] + offset for part, offset in zip(parts, offsets, strict=False)])
    arrays["base_colours"] = np.array(materials.base_colours, np.float32)
    arrays.update({f"texture_{index}": image for index, image in enumerate(materials.images) if image is not None})
    header = {
        "parts": [part["name"] for part in parts],
        "materials": materials.names,
        "has_uv": any(part["has_uv"] for part in parts),
        "has_colour": any(part["has_colour"] for part in parts),
        "frame": bpy.context.scene.frame_current,
        "blender": bpy.app.version_string,
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)
    np.savez(target, **arrays)


def visible_meshes(bpy: Any, depsgraph: Any) -> list[tuple[str, Any, np.ndarray]]:
    """(name, evaluated object, matrix to world): objects in the order of their creation, which is the file's order;
    then what collections and geometry nodes instance."""
    order: dict[str, tuple[int, int]] = {}
    for number, item in enumerate(bpy.context.view_layer.objects):
        order[item.name_full] = (getattr(item, "session_uid", getattr(item, "session_uuid", number)), number)
    real, instances = [], []
    for instance in depsgraph.object_instances:
        item = instance.object
        if item.type != "MESH" or not instance.show_self:
            continue
        entry = (item.name, item, np.array(instance.matrix_world, np.float64))
        if instance.is_instance:
            instances.append((item.name, item.original.evaluated_get(depsgraph), entry[2]))
        elif item.original.visible_get():
            real.append((order.get(item.original.name_full, (0, 0)), (item.name, item.original, entry[2])))
    real.sort(key=lambda pair: pair[0])
    return [(name, item.evaluated_get(depsgraph), matrix) for _, (name, item, matrix) in real] + instances


def read_object(entry: tuple[str, Any, np.ndarray], materials: "Materials") -> dict[str, Any] | None:
    name, item, matrix = entry
    mesh = item.to_mesh()
    try:
        mesh.calc_loop_triangles()
        count, triangles, corners = len(mesh.vertices), len(mesh.loop_triangles), len(mesh.loops)
        if not triangles:
            return None
        positions = fetch(mesh.vertices, "co", (count, 3), np.float32).astype(np.float64)
        faces = fetch(mesh.loop_triangles, "vertices", (triangles, 3), np.int32)
        loops = fetch(mesh.loop_triangles, "loops", (triangles, 3), np.int32)
        slot_of = fetch(mesh.loop_triangles, "material_index", (triangles,), np.int32)
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces, loops = faces[:, ::-1], loops[:, ::-1]
        slots = [materials.use(slot.material) for slot in item.material_slots] or [materials.use(None)]
        chosen = [slots[min(index, len(slots) - 1)] for index in range(max(int(slot_of.max()) + 1, len(slots)))]
        face_material = np.array([entry["index"] for entry in chosen], np.int32)[slot_of]
        uv, has_uv = read_uv(mesh, chosen, slot_of, loops, corners)
        colour = read_colour(mesh, chosen, count)
        return {
            "name": name,
            "positions": (positions @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32),
            "faces": faces,
            "face_material": face_material,
            "corner_uv": uv,
            "has_uv": has_uv,
            "vertex_colour": np.ones((count, 3), np.float32) if colour is None else colour,
            "has_colour": colour is not None,
        }
    finally:
        item.to_mesh_clear()


def fetch(collection: Any, attribute: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    values: np.ndarray = np.empty(int(np.prod(shape)), dtype)
    collection.foreach_get(attribute, values)
    return values.reshape(shape)


def read_uv(
    mesh: Any, chosen: list[dict[str, Any]], slot_of: np.ndarray, loops: np.ndarray, corners: int
) -> tuple[np.ndarray, bool]:
    """(F, 3, 2), each triangle by the UV map that its material's texture reads."""
    uv = np.zeros((len(loops), 3, 2), np.float32)
    default = next((layer for layer in mesh.uv_layers if layer.active_render), None)
    found = False
    for slot, entry in enumerate(chosen):
        layer = mesh.uv_layers.get(entry["uv_map"]) or default
        here = slot_of == slot
        if layer is not None and entry["has_image"] and here.any():
            uv[here] = fetch(layer.uv, "vector", (corners, 2), np.float32)[loops[here]]
            found = True
    return uv, found


def read_colour(mesh: Any, chosen: list[dict[str, Any]], count: int) -> np.ndarray | None:
    """(N, 3) sRGB where a material reads a colour attribute, or where nothing but vertex colours paint the mesh."""
    names = [entry["colour_attribute"] for entry in chosen if entry["colour_attribute"] is not None]
    attributes = mesh.color_attributes
    if not len(attributes) or not (names or all(entry["empty"] for entry in chosen)):
        return None
    attribute = next((attributes[name] for name in names if name in attributes), None)
    if attribute is None:
        index = attributes.render_color_index
        attribute = attributes[index if 0 <= index < len(attributes) else 0]
    values = fetch(attribute.data, "color_srgb", (len(attribute.data), 4), np.float32)[:, :3]
    if attribute.domain == "CORNER":
        vertices = fetch(mesh.loops, "vertex_index", (len(mesh.loops),), np.int32)
        number = np.maximum(np.bincount(vertices, minlength=count), 1)
        values = np.stack([np.bincount(vertices, values[:, k], count) / number for k in range(3)], axis=1)
    return np.clip(values, 0, 1).astype(np.float32)


class Materials:
    """The materials that faces use, in the order of first use, as plain values."""

    def __init__(self, longest_side: int) -> None:
        self.longest_side = longest_side
        self.names: list[str] = []
        self.base_colours: list[tuple[float, ...]] = []
        self.images: list[np.ndarray | None] = []
        self.entries: dict[str | None, dict[str, Any]] = {}
        self.pixels: dict[str, np.ndarray | None] = {}

    def use(self, material: Any) -> dict[str, Any]:
        key = None if material is None else material.name_full
        if key not in self.entries:
            self.entries[key] = self._read(material)
        return self.entries[key]

    def _read(self, material: Any) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "index": len(self.names),
            "uv_map": "",
            "has_image": False,
            "colour_attribute": None,
            "empty": False,
        }
        colour: tuple[float, ...] = PLAIN
        image = None
        if material is None:
            entry["empty"] = True
        else:
            socket, alpha = base_colour_socket(material)
            if socket is None:
                colour = srgb(material.diffuse_color)
            else:
                image_node, attribute_node, constant = behind(socket)
                image = self._pixels(image_node.image) if image_node is not None else None
                if image is not None:
                    entry["uv_map"], colour = uv_map_of(image_node), WHITE
                elif constant is not None:
                    colour = srgb(constant)
                if attribute_node is not None:
                    entry["colour_attribute"] = getattr(attribute_node, "layer_name", None) or getattr(
                        attribute_node, "attribute_name", ""
                    )
                    colour = WHITE
                colour = (*colour[:3], alpha)
        entry["has_image"] = image is not None
        self.names.append("material" if material is None else material.name)
        self.base_colours.append(colour)
        self.images.append(image)
        return entry

    def _pixels(self, image: Any) -> np.ndarray | None:
        """(H, W, 4) uint8 sRGB with row 0 on top, or None where the image's file is missing."""
        if image is None:
            return None
        if image.name_full not in self.pixels:
            width, height = image.size
            if not width or not height or not image.pixels:
                print(f"motion324-warning: the image '{image.name}' is missing", file=sys.stderr)
                self.pixels[image.name_full] = None
            else:
                while max(width, height) > self.longest_side:
                    width, height = max(1, width // 2), max(1, height // 2)
                if (width, height) != tuple(image.size):
                    image.scale(width, height)
                values = np.empty(width * height * 4, np.float32)
                image.pixels.foreach_get(values)
                values = values.reshape(height, width, 4)[::-1]
                if image.is_float:
                    values = np.concatenate([linear_to_srgb(values[..., :3]), values[..., 3:]], axis=2)
                self.pixels[image.name_full] = np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
        return self.pixels[image.name_full]


def base_colour_socket(material: Any) -> tuple[Any, float]:
    """(the input that gives a material its colour, its opacity), or (None, 1) without a shader that is known."""
    tree = material.node_tree
    if tree is None or not material.use_nodes:
        return None, 1.0
    outputs = [node for node in tree.nodes if node.type == "OUTPUT_MATERIAL"]
    outputs.sort(key=lambda node: not node.is_active_output)
    stack, seen = outputs[:1], set[str]()
    while stack:
        node = stack.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        for name in ("Base Color", "Color", "Diffuse Color"):
            if node.type.startswith(("BSDF", "EMISSION", "PRINCIPLED", "EEVEE_SPECULAR")) and name in node.inputs:
                alpha = node.inputs.get("Alpha")
                opaque = 1.0 if alpha is None or alpha.is_linked else float(alpha.default_value)
                return node.inputs[name], opaque
        stack.extend(link.from_node for socket in node.inputs for link in socket.links)
    return None, 1.0


def behind(socket: Any) -> tuple[Any, Any, tuple[float, ...] | None]:
    """What feeds a colour input: (image node, colour attribute node, constant colour), each None where missing."""
    if not socket.is_linked:
        return None, None, tuple(socket.default_value)
    image = attribute = constant = None
    stack, seen = [socket.links[0].from_node], set[str]()
    while stack:
        node = stack.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.type == "TEX_IMAGE" and node.image is not None:
            image = image or node
            continue
        if node.type in ("VERTEX_COLOR", "ATTRIBUTE"):
            attribute = attribute or node
        elif node.type == "RGB" and constant is None:
            constant = tuple(node.outputs[0].default_value)
        stack.extend(link.from_node for item in node.inputs for link in item.links)
    return image, attribute, constant


def uv_map_of(image_node: Any) -> str:
    links = image_node.inputs["Vector"].links
    while links:
        node = links[0].from_node
        if node.type == "UVMAP":
            return node.uv_map
        links = node.inputs["Vector"].links if "Vector" in node.inputs else ()
    return ""


def srgb(colour: Any) -> tuple[float, ...]:
    red, green, blue = (float(value) for value in linear_to_srgb(np.array(colour[:3])))
    return red, green, blue, 1.0


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    value = np.clip(linear, 0.0, 1.0)
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
