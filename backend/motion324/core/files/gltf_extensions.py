"""Knows which of glTF's extensions concern neither where a vertex lies nor what colour it has, and what a file hides.

Standard library only.
"""

from __future__ import annotations

from typing import Any

DRACO = "KHR_draco_mesh_compression"
VISIBILITY = "KHR_node_visibility"

_HARMLESS = {
    *("KHR_node_hoverability", "KHR_node_selectability", "KHR_interactivity", "KHR_animation_pointer"),
    *("EXT_mesh_features", "EXT_instance_features", "EXT_structural_metadata", "EXT_mesh_manifold"),
    *("FB_ngon_encoding", "CESIUM_primitive_outline", "MSFT_lod", "MSFT_packing_normalRoughnessMetallic"),
    *("MSFT_packing_occlusionRoughnessMetallic", "GODOT_single_root", "VRM"),
}
_HARMLESS_BEGINNINGS = (
    *("KHR_materials_", "EXT_materials_", "ADOBE_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_"),
    *("KHR_lights_", "EXT_lights_", "KHR_xmp", "KHR_audio", "KHR_physics", "OMI_", "VRMC_", "MOZ_"),
)


def concerns_no_geometry(name: str) -> bool:
    return name in _HARMLESS or name.startswith(_HARMLESS_BEGINNINGS)


def is_visible(node: dict[str, Any]) -> bool:
    """Whether KHR_node_visibility does not hide this very node, with all below it."""
    extensions = node.get("extensions") or {}
    return (extensions.get(VISIBILITY) or {}).get("visible", True) is not False
