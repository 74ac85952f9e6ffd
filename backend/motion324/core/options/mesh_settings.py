"""Declares what a user may choose of how a mesh is made, each option once, as animate_options does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.option_group import OptionGroup, bad_option
from motion324.core.options.option_spec import Choice, Flag, Section, Shown, option, same_option

INFLATE, HUNYUAN, HUNYUAN_SERVER, FILE = "inflate", "hunyuan3d", "hunyuan3d-server", "file"
WEEK = 7 * 24 * 3600  # seconds

_BOTH_HUNYUANS = ("provider", (HUNYUAN, HUNYUAN_SERVER))
_MESH = Section("the mesh")


@dataclass(frozen=True)
class MeshSettings(OptionGroup):
    """What each of them means is its help."""

    provider: str = option(
        INFLATE,
        "what makes the mesh from the first frame; inflate needs nothing but the picture; Hunyuan3D-2 has to be "
        "installed here, or to run as a server",
        choices=(
            Choice(
                INFLATE,
                "Inflate",
                "Blows the outline up to a rounded body whose back mirrors its front; needs nothing else",
            ),
            Choice(
                HUNYUAN,
                "Hunyuan3D-2",
                "The generator Hunyuan3D-2, where its package and weights are in the backend's Python",
            ),
            Choice(
                HUNYUAN_SERVER,
                "Hunyuan3D-2 Server",
                "The server that comes with Hunyuan3D-2, on this machine or another",
            ),
            Choice(FILE),
        ),
        flag=Flag("--mesh-provider", section=_MESH),
        shown=Shown("Made by", "What makes the mesh from the first frame", panel="New Mesh", name="mesh_provider"),
    )
    file: Path | None = option(
        None,
        "of the provider file",
        counts_with=("provider", (FILE,)),
        on_wire=False,  # it is read where it lies
        flag=Flag("--mesh-file", metavar="MESH", section=_MESH),
    )
    server: str = option(
        "",
        "of hunyuan3d-server, such as http://127.0.0.1:8081; its key, if any, in MOTION324_HUNYUAN3D_KEY",
        counts_with=("provider", (HUNYUAN_SERVER,)),
        flag=Flag("--hunyuan-server", metavar="ADDRESS", section=_MESH),
        shown=Shown(
            "Address",
            "Of Hunyuan3D-2's server as the backend sees it, such as http://127.0.0.1:8081",
            panel="New Mesh",
            name="hunyuan_server",
            placeholder="http://127.0.0.1:8081",
        ),
    )
    model: str = option(
        "tencent/Hunyuan3D-2",
        "Hunyuan3D-2's weights: a folder on the backend's machine, or their name in its hub's cache",
        counts_with=("provider", (HUNYUAN,)),
        flag=Flag("--hunyuan-model", metavar="NAME|DIR", section=_MESH),
        shown=Shown("Weights", panel="New Mesh", name="hunyuan_model"),
    )
    faces: int = option(
        10_000,
        "to which Hunyuan3D-2's mesh is reduced",
        low=500,
        high=10_000_000,
        counts_with=_BOTH_HUNYUANS,
        flag=Flag("--mesh-faces", metavar="N", section=_MESH),
        shown=Shown("Faces", panel="New Mesh", name="mesh_faces"),
    )
    seed: int = same_option(AnimateOptions.specs()["seed"], counts_with=_BOTH_HUNYUANS, flag=None, shown=None)
    texture: bool = option(
        True,
        "do not let Hunyuan3D-2 paint: take the colours of the frame",
        counts_with=_BOTH_HUNYUANS,
        flag=Flag("--no-mesh-texture", section=_MESH),
        shown=Shown(
            "Paint",
            "Have Hunyuan3D-2 paint its mesh; else the colours are the frame's",
            panel="New Mesh",
            name="mesh_texture",
        ),
    )
    time_limit: float = option(
        900.0,
        "seconds that the server may take",
        low=0,
        above_low=True,
        high=WEEK,
        counts_with=("provider", (HUNYUAN_SERVER,)),
        flag=Flag("--hunyuan-time-limit", metavar="S", section=_MESH),
    )

    def check_together(self) -> None:
        if self.provider == FILE and self.file is None:
            raise bad_option("mesh-provider", "is file, but no file is given; name it with --mesh-file")
        if self.provider == HUNYUAN_SERVER and not self.server:
            raise bad_option(
                "mesh-provider", "is hunyuan3d-server, but no address is given; name it with --hunyuan-server"
            )

    def relevant(self) -> dict[str, Any]:
        """What the chosen provider looks at, as plain JSON values: while it stays the same, so does the mesh."""
        names = [name for name in self.specs() if self.counts(name) and name != "time_limit"]
        values = {name: getattr(self, name) for name in names}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


HUNYUAN_LICENCE = (
    "Hunyuan3D-2 is under the Tencent Hunyuan 3D 2.0 Community License, which does not apply in the European Union, "
    "the United Kingdom and South Korea: it permits nothing there. Elsewhere it has an acceptable use policy, and very "
    "large services need a licence of their own. "
    "Read it at https://huggingface.co/tencent/Hunyuan3D-2/blob/main/LICENSE."
)
