"""Finds what colours a material's surface: it walks from the material's output back to a colour, an image or a colour
attribute.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Colour = tuple[float, float, float]

# Nodes that alter a colour without making one: the walk goes on through the named input.
PASSING = {"BRIGHTCONTRAST": "Color", "CURVE_RGB": "Color", "GAMMA": "Color", "HUE_SAT": "Color", "INVERT": "Color"}
COLOUR_INPUTS = ("Base Color", "Color", "Diffuse Color", "Emission Color")
DEEPEST = 64  # nodes; a walk that comes so far has met a loop
WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """colour: linear, multiplies the image; alpha in [0, 1].
    image: Blender's, or None. colour_without_image: linear, for an image that cannot be read.
    uv_map: the image's own map, or "" for the default. colour_attribute: its name; "" for the default one; None for
    none.
    """

    colour: Colour = (0.8, 0.8, 0.8)
    alpha: float = 1.0
    image: Any = None
    colour_without_image: Colour = (0.8, 0.8, 0.8)
    uv_map: str = ""
    colour_attribute: str | None = None


def trace_material(material: Any) -> Look:
    """The look of one of Blender's materials, or of None; its viewport colour where the nodes have no simple answer."""
    if material is None:
        return Look()
    viewport = _colour(material.diffuse_color)
    plain = Look(colour=viewport, colour_without_image=viewport)
    if not _uses_nodes(material) or material.node_tree is None:
        return plain
    output = material.node_tree.get_output_node("ALL")
    if output is None:
        return plain
    return _Tracer(plain).shader(_End(output.inputs["Surface"], ()).followed())


def _uses_nodes(material: Any) -> bool:
    """From Blender 5.0 on every material does, and the switch is about to go."""
    switch = material.bl_rna.properties.get("use_nodes")
    return switch is None or getattr(switch, "is_deprecated", False) or bool(material.use_nodes)


@dataclass(frozen=True)
class _End:
    """Where a walk is: at a socket, within the group nodes that it has entered, from the outside in."""

    socket: Any
    groups: tuple[Any, ...]

    @property
    def is_fed(self) -> bool:
        """Whether it has come to what a node gives, rather than to an input that nothing feeds."""
        return bool(self.socket.is_output)

    @property
    def key(self) -> tuple[int, ...]:
        return (self.socket.as_pointer(), *(group.as_pointer() for group in self.groups))

    def at(self, socket: Any) -> _End:
        return _End(socket, self.groups)

    def followed(self) -> _End:
        """From an input back to the output that feeds it, or to the last input that nothing feeds: into and out of
        groups, and past reroutes and what is muted."""
        here = self
        for _ in range(DEEPEST):
            if here.socket.is_output or not here.socket.is_linked or not len(here.socket.links):
                return here
            fed = here.at(here.socket.links[0].from_socket)
            following = fed._before()
            if following is None:
                return fed
            here = following
        return here

    def _before(self) -> _End | None:
        """The input that an output of a group, a reroute or a muted node hands on; None for what makes its own."""
        node, name = self.socket.node, self.socket.identifier
        if node.mute:
            return next(
                (self.at(link.from_socket) for link in node.internal_links if link.to_socket == self.socket), None
            )
        if node.type == "REROUTE":
            return self.at(node.inputs[0])
        if node.type == "GROUP" and node.node_tree:
            inner = next((n for n in node.node_tree.nodes if n.type == "GROUP_OUTPUT" and n.is_active_output), None)
            found = _named(inner.inputs, name) if inner is not None else None
            return _End(found, (*self.groups, node)) if found is not None else None
        if node.type == "GROUP_INPUT" and self.groups:
            found = _named(self.groups[-1].inputs, name)
            return _End(found, self.groups[:-1]) if found is not None else None
        return None


class _Tracer:
    """Looks of one material's sockets; `plain` is the answer where there is no other. Each is looked at once, so that
    neither a loop nor a ladder of nodes that are used twice costs time."""

    def __init__(self, plain: Look) -> None:
        self._plain = plain
        self._known: dict[tuple[int, ...], Look] = {}

    def shader(self, end: _End) -> Look:
        for _ in range(DEEPEST):
            if not end.is_fed:
                return self._plain
            node = end.socket.node
            if node.type in ("MIX_SHADER", "ADD_SHADER"):
                sources = [end.at(s).followed() for s in node.inputs if s.type == "SHADER"]
                sources = [source for source in sources if source.is_fed]
                sources.sort(key=lambda source: source.socket.node.type == "BSDF_TRANSPARENT")
                if not sources:
                    return self._plain
                end = sources[0]
                continue
            name = next((name for name in COLOUR_INPUTS if name in node.inputs), None)
            if name is None:
                return self._made(end) if end.socket.type == "RGBA" else self._plain
            look = self.colour(end.at(node.inputs[name]))
            alpha = node.inputs.get("Alpha")
            return dataclasses.replace(look, alpha=alpha.default_value) if alpha and not alpha.is_linked else look
        return self._plain

    def colour(self, given: _End) -> Look:
        """Of an input socket."""
        end = given.followed()
        if not end.is_fed:
            return Look(colour=_colour(end.socket.default_value) if end.socket.type == "RGBA" else self._plain.colour)
        look = self._made(end)
        if look.image is not None and given.socket.type == "RGBA":
            return dataclasses.replace(look, colour_without_image=_colour(given.socket.default_value))
        return look

    def _made(self, end: _End) -> Look:
        """Of an output socket that makes a colour."""
        key = end.key
        if key not in self._known:
            self._known[key] = self._plain  # for a loop that comes here again
            self._known[key] = self._look(end)
        return self._known[key]

    def _look(self, end: _End) -> Look:
        node = end.socket.node
        if node.type == "TEX_IMAGE" and node.image:
            return dataclasses.replace(self._plain, colour=WHITE, image=node.image, uv_map=_uv_map(end))
        if node.type == "RGB":
            return dataclasses.replace(self._plain, colour=_colour(node.outputs[0].default_value))
        if node.type == "VERTEX_COLOR":
            return dataclasses.replace(self._plain, colour=WHITE, colour_attribute=node.layer_name)
        if node.type == "ATTRIBUTE" and node.attribute_type == "GEOMETRY":
            return dataclasses.replace(self._plain, colour=WHITE, colour_attribute=node.attribute_name)
        if node.type in ("MIX", "MIX_RGB"):
            return self._mix(end)
        if node.type in PASSING:
            return self.colour(end.at(node.inputs[PASSING[node.type]]))
        return self._plain

    def _mix(self, end: _End) -> Look:
        """Two colours in one: multiplied where the node multiplies, else the one that has an image or an attribute."""
        node = end.socket.node
        sockets = [s for s in node.inputs if s.type == "RGBA" and s.enabled]
        if len(sockets) != 2:
            return self._plain  # it mixes numbers or vectors
        factor = _factor(end)
        first, second = (self.colour(end.at(socket)) for socket in sockets)
        if factor <= 0:
            return first
        if factor >= 1 and node.blend_type == "MIX":
            return second
        best = next((look for look in (first, second) if look.image), None)
        best = best or next((look for look in (first, second) if look.colour_attribute is not None), None)
        if best is None:
            return dataclasses.replace(self._plain, colour=_mixed(node.blend_type, factor, first.colour, second.colour))
        if node.blend_type != "MULTIPLY":
            return best
        other = second if best is first else first
        if best is first and other.colour_attribute is None:
            factors = _mixed("MIX", factor, WHITE, other.colour)
        else:  # nothing simple says by how much an image dims a colour in part
            factors = other.colour
        attribute = best.colour_attribute if best.colour_attribute is not None else other.colour_attribute
        return dataclasses.replace(best, colour=_product(best.colour, factors), colour_attribute=attribute)


def _factor(end: _End) -> float:
    """How much of a mix node's second colour counts; half where that differs from place to place."""
    found = end.at(end.socket.node.inputs[0]).followed()
    if found.is_fed and found.socket.node.type != "VALUE":
        return 0.5
    value = found.socket.default_value
    return min(max(float(value), 0.0), 1.0) if isinstance(value, float) else 0.5


def _mixed(kind: str, factor: float, first: Colour, second: Colour) -> Colour:
    """Blender's blend types of two constant colours; those that are rare count as a plain mix."""
    blends: dict[str, Callable[[float, float], float]] = {
        "MULTIPLY": lambda a, b: a * b,
        "ADD": lambda a, b: a + b,
        "SUBTRACT": lambda a, b: a - b,
        "DARKEN": min,
        "LIGHTEN": max,
        "SCREEN": lambda a, b: 1 - (1 - a) * (1 - b),
    }
    blend = blends.get(kind, lambda a, b: b)
    red, green, blue = (max((1 - factor) * a + factor * blend(a, b), 0.0) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _product(one: Colour, other: Colour) -> Colour:
    return one[0] * other[0], one[1] * other[1], one[2] * other[2]


def _colour(values: Any) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])


def _named(sockets: Any, identifier: str) -> Any:
    return next((socket for socket in sockets if socket.identifier == identifier), None)


def _uv_map(end: _End) -> str:
    """The UV map that an image node names, directly or through nodes that move the coordinates."""
    found = end.at(end.socket.node.inputs["Vector"]).followed()
    for _ in range(DEEPEST):
        if not found.is_fed:
            return ""
        source = found.socket.node
        if source.type == "UVMAP":
            return str(source.uv_map)
        if source.type == "ATTRIBUTE":
            return str(source.attribute_name)
        inner = source.inputs.get("Vector")
        if inner is None:
            return ""
        found = found.at(inner).followed()
    return ""
