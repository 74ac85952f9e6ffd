"""The settings for making a new mesh from a video; kept with the scene."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import urlsplit

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.mesh_settings import FACES, FEWEST_FACES, HUNYUAN_MODEL, MeshSettings

INFLATE, HUNYUAN, HUNYUAN_SERVER = "inflate", "hunyuan3d", "hunyuan3d-server"
PROVIDERS = (
    (INFLATE, "Inflate", "Blows the outline up to a rounded body whose back mirrors its front; needs nothing else"),
    (HUNYUAN, "Hunyuan3D-2", "The generator Hunyuan3D-2, where its package and weights are in the backend's Python"),
    (HUNYUAN_SERVER, "Hunyuan3D-2 Server", "The server that comes with Hunyuan3D-2, on this machine or another"),
)


class NewMeshProperties:
    """What describes the making of a mesh: settings of the scene, and keyword arguments of the operator."""

    mesh_provider: EnumProperty(name="Made by", description="What makes the mesh from the first frame", items=PROVIDERS)
    mesh_faces: IntProperty(
        name="Faces", description="To which Hunyuan3D-2's mesh is reduced", min=FEWEST_FACES, default=FACES
    )
    mesh_texture: BoolProperty(
        name="Paint", description="Have Hunyuan3D-2 paint its mesh; else the colours are the frame's", default=True
    )
    hunyuan_model: StringProperty(
        name="Weights",
        description="Hunyuan3D-2's weights: a folder on the backend's machine, or their name in its hub's cache",
        default=HUNYUAN_MODEL,
    )
    hunyuan_server: StringProperty(
        name="Address", description="Of Hunyuan3D-2's server as the backend sees it, such as http://127.0.0.1:8081"
    )


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
    found = MeshSettings(
        provider=settings.mesh_provider,
        faces=settings.mesh_faces,
        seed=seed,
        texture=settings.mesh_texture,
        model=settings.hunyuan_model,
        server=settings.hunyuan_server,
    )
    found.check()
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
