"""Holds the settings for making a new mesh from a video; they are kept with the scene."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import urlsplit

import bpy
from bpy.props import PointerProperty

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.mesh_settings import HUNYUAN_SERVER, MeshSettings

from . import option_properties


class NewMeshProperties:
    """What describes the making of a mesh: settings of the scene, and keyword arguments of the operator. All of them
    are options that motion324.core.options.mesh_settings declares."""


NewMeshProperties.__annotations__ = option_properties.properties_of(MeshSettings)


option_properties.steady(NewMeshProperties)


class Motion324NewMesh(NewMeshProperties, bpy.types.PropertyGroup):
    pass


def chosen_of(operator: bpy.types.Operator, settings: Motion324NewMesh) -> SimpleNamespace:
    """The operator's keyword arguments, and the scene's settings where there are none."""
    given = operator.properties.is_property_set
    names = NewMeshProperties.__annotations__
    return SimpleNamespace(**{name: getattr(operator if given(name) else settings, name) for name in names})


def mesh_settings_of(settings: NewMeshProperties | SimpleNamespace, seed: int) -> MeshSettings:
    """seed: of the generator's noise.

    Raises Motion324Error: "bad-option", or "offline" for a server elsewhere where Blender may not go online.
    """
    found = MeshSettings.from_dict({**option_properties.values_of(settings, MeshSettings), "seed": seed})
    if found.provider == HUNYUAN_SERVER and not bpy.app.online_access and not _is_here(found.server):
        raise Motion324Error(
            "offline",
            f"Blender has no permission for online access, which the server '{found.server}' needs.",
            "Allow it in Preferences > System > Network.",
            EXIT_USAGE,
        )
    return found


def _is_here(address: str) -> bool:
    """Whether a server's address is one of this machine."""
    parts = urlsplit(address if "://" in address else f"http://{address}")
    return parts.hostname in ("localhost", "127.0.0.1", "::1")


def register() -> None:
    bpy.utils.register_class(Motion324NewMesh)
    bpy.types.Scene.motion324_new_mesh = PointerProperty(type=Motion324NewMesh)


def unregister() -> None:
    del bpy.types.Scene.motion324_new_mesh
    bpy.utils.unregister_class(Motion324NewMesh)
