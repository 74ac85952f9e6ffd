"""What colours a material's surface: a walk from its output back to a colour, an image or a colour attribute."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import bpy

# Nodes that alter a colour without making one: the walk goes on through the named input.
PASSING = {"BRIGHTCONTRAST": "Color", "CURVE_RGB": "Color", "GAMMA": "Color", "HUE_SAT": "Color", "INVERT": "Color"}
COLOUR_INPUTS = ("Base Color", "Color", "Diffuse Color", "Emission Color")
DEEPEST = 64  # nodes; a walk that comes so far has met a loop


@dataclass(frozen=True)
class Look:
    """colour: linear, multiplies the image; alpha in [0, 1].
    colour_without_image: linear, for an image that cannot be read. uv_map: the image's own map, or "" for the default.
    colour_attribute: its name; "" for the default one; None for none.
    """

    colour: tuple[float, float, float] = (0.8, 0.8, 0.8)
    alpha: float = 1.0
    image: bpy.types.Image | None = None
    colour_without_image: tuple[float, float, float] = (0.8, 0.8, 0.8)
    uv_map: str = ""
    colour_attribute: str | None = None


def trace_material(material: bpy.types.Material | None) -> Look:
    """The look of a material; its viewport colour where the nodes have no simple answer."""
    if material is None:
        return Look()
    plain = Look(colour=tuple(material.diffuse_color[:3]), colour_without_image=tuple(material.diffuse_color[:3]))
    has_nodes = bpy.app.version >= (5, 0, 0) or material.use_nodes  # from 5.0 on every material has them
    if not has_nodes or material.node_tree is None:
        return plain
    output = material.node_tree.get_output_node("ALL")
    shader = _Walk(()).source(output.inputs["Surface"]) if output else None
    return _trace_shader(shader, plain) if shader else plain


@dataclass(frozen=True)
class _Walk:
    """Where a walk is: the group nodes that it has entered, from the outside in."""

    groups: tuple[bpy.types.Node, ...]

    def source(self, socket: bpy.types.NodeSocket) -> tuple[bpy.types.NodeSocket, _Walk] | None:
        """The output socket that feeds an input socket, through group nodes and their inputs; None if nothing does."""
        walk = self
        for _ in range(DEEPEST):
            if not socket.is_linked:
                return None
            output = socket.links[0].from_socket
            node = output.node
            if node.type == "GROUP" and node.node_tree:
                inner = next((n for n in node.node_tree.nodes if n.type == "GROUP_OUTPUT" and n.is_active_output), None)
                if inner is None:
                    return None
                walk = _Walk((*walk.groups, node))
                socket = next(s for s in inner.inputs if s.identifier == output.identifier)
            elif node.type == "GROUP_INPUT" and walk.groups:
                socket = next(s for s in walk.groups[-1].inputs if s.identifier == output.identifier)
                walk = _Walk(walk.groups[:-1])
            elif node.type == "REROUTE":
                socket = node.inputs[0]
            else:
                return output, walk
        return None


def _trace_shader(found: tuple[bpy.types.NodeSocket, _Walk], plain: Look) -> Look:
    for _ in range(DEEPEST):
        socket, walk = found
        node = socket.node
        if node.type in ("MIX_SHADER", "ADD_SHADER"):
            shaders = [s for s in node.inputs if s.type == "SHADER"]
            sources = [source for source in map(walk.source, shaders) if source]
            sources.sort(key=lambda source: source[0].node.type == "BSDF_TRANSPARENT")
            if not sources:
                return plain
            found = sources[0]
            continue
        name = next((name for name in COLOUR_INPUTS if name in node.inputs), None)
        if name is None:
            return _trace_colour(found, plain) if socket.type == "RGBA" else plain
        look = _trace_input(node.inputs[name], walk, plain)
        alpha = node.inputs.get("Alpha")
        return dataclasses.replace(look, alpha=alpha.default_value) if alpha and not alpha.is_linked else look
    return plain


def _trace_input(socket: bpy.types.NodeSocket, walk: _Walk, plain: Look) -> Look:
    colour = tuple(socket.default_value[:3]) if socket.type == "RGBA" else plain.colour
    found = walk.source(socket)
    if found is None:
        return Look(colour=_group_value(socket, walk) or colour)
    return _trace_colour(found, dataclasses.replace(plain, colour_without_image=colour))


def _group_value(socket: bpy.types.NodeSocket, walk: _Walk) -> tuple[float, float, float] | None:
    """The colour that a group node's unlinked input gives to a socket inside of the group."""
    if not socket.is_linked or not walk.groups:
        return None
    output = socket.links[0].from_socket
    outer = next((s for s in walk.groups[-1].inputs if s.identifier == output.identifier), None)
    return tuple(outer.default_value[:3]) if outer is not None and outer.type == "RGBA" else None


def _trace_colour(found: tuple[bpy.types.NodeSocket, _Walk], plain: Look) -> Look:
    for _ in range(DEEPEST):
        socket, walk = found
        node = socket.node
        if node.type == "TEX_IMAGE" and node.image:
            white = (1.0, 1.0, 1.0)
            return dataclasses.replace(plain, colour=white, image=node.image, uv_map=_uv_map(node, walk))
        if node.type == "RGB":
            return dataclasses.replace(plain, colour=tuple(node.outputs[0].default_value[:3]))
        if node.type == "VERTEX_COLOR":
            return dataclasses.replace(plain, colour=(1.0, 1.0, 1.0), colour_attribute=node.layer_name)
        if node.type == "ATTRIBUTE" and node.attribute_type == "GEOMETRY":
            return dataclasses.replace(plain, colour=(1.0, 1.0, 1.0), colour_attribute=node.attribute_name)
        if node.type in ("MIX", "MIX_RGB"):
            return _trace_mix(node, walk, plain)
        inner = node.inputs[PASSING[node.type]] if node.type in PASSING else None
        following = walk.source(inner) if inner is not None else None
        if following is None:
            return plain
        found = following
    return plain


def _trace_mix(node: bpy.types.Node, walk: _Walk, plain: Look) -> Look:
    """Two colours in one: multiplied where the node multiplies, else the one that has an image or an attribute."""
    inputs = [s for s in node.inputs if s.type == "RGBA" and s.enabled]
    looks = [_trace_input(socket, walk, plain) for socket in inputs]
    rich = [look for look in looks if look.image or look.colour_attribute is not None]
    best = next((look for look in rich if look.image), rich[0] if rich else None)
    if best is None:
        factor = node.inputs[0].default_value if not node.inputs[0].is_linked else 0.5
        mixed = [(1 - factor) * a + factor * b for a, b in zip(looks[0].colour, looks[1].colour, strict=True)]
        return dataclasses.replace(plain, colour=tuple(mixed))
    if node.blend_type != "MULTIPLY":
        return best
    other = looks[1] if looks[0] is best else looks[0]
    attribute = best.colour_attribute if best.colour_attribute is not None else other.colour_attribute
    colour = tuple(a * b for a, b in zip(best.colour, other.colour, strict=True))
    return dataclasses.replace(best, colour=colour, colour_attribute=attribute)


def _uv_map(node: bpy.types.Node, walk: _Walk) -> str:
    """The UV map that an image node names, directly or through nodes that move the coordinates."""
    found = walk.source(node.inputs["Vector"])
    for _ in range(DEEPEST):
        if found is None:
            return ""
        source = found[0].node
        if source.type == "UVMAP":
            return source.uv_map
        if source.type == "ATTRIBUTE":
            return source.attribute_name
        inner = source.inputs.get("Vector")
        found = found[1].source(inner) if inner is not None else None
    return ""
