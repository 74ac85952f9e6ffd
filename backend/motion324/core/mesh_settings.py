"""What a user may choose of how the mesh comes about: the same names on the command line and in Blender."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.core.options import bad_option, check_choice

MESH_PROVIDERS = ("inflate", "hunyuan3d", "hunyuan3d-server", "file")
DEFAULT_PROVIDER = "inflate"
HUNYUAN_MODEL = "tencent/Hunyuan3D-2"
FACES = 10_000
FEWEST_FACES = 500


@dataclass(frozen=True)
class MeshSettings:
    """provider: one of MESH_PROVIDERS. file: the mesh, for "file".
    faces: that the meshes of Hunyuan3D-2 are reduced to. seed: of their noise. texture: whether they are painted, too.
    model: folder of Hunyuan3D-2's weights, or their name on the hub, where they are in the hub's cache.
    server: address of Hunyuan3D-2's own server. time_limit: seconds that it may take.
    """

    provider: str = DEFAULT_PROVIDER
    file: Path | None = None
    faces: int = FACES
    seed: int = 0
    texture: bool = True
    model: str = HUNYUAN_MODEL
    server: str = ""
    time_limit: float = 900.0

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where a value is outside of what makes sense."""
        check_choice("mesh-provider", self.provider, MESH_PROVIDERS)
        if self.provider == "file" and self.file is None:
            raise bad_option("mesh-provider", "is file, but no file is given; name it with --mesh-file")
        if self.provider == "hunyuan3d-server" and not self.server:
            raise bad_option(
                "mesh-provider", "is hunyuan3d-server, but no address is given; name it with --hunyuan-server"
            )
        if self.faces < FEWEST_FACES:
            raise bad_option("mesh-faces", f"is {self.faces}; it must be at least {FEWEST_FACES}")
        if not self.time_limit > 0:
            raise bad_option("hunyuan-time-limit", f"is {self.time_limit:g}; it must be above 0 seconds")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for from_dict. A given file stays out: it is read where it lies."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "file"}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MeshSettings:
        """Raises Motion324Error("bad-option") that names a value that is unknown or cannot be used."""
        kinds = {"provider": str, "faces": int, "seed": int, "texture": bool, "model": str, "server": str}
        for name, value in values.items():
            kind = kinds.get(name, (float, int) if name == "time_limit" else None)
            if kind is None or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise bad_option(f"mesh setting {name}", f"cannot be {value!r}")
        settings = cls(**values)
        settings.check()
        return settings

    def relevant(self) -> dict[str, Any]:
        """What the chosen provider looks at, as plain JSON values: while it stays the same, so does the mesh."""
        if self.provider == "inflate":
            return {"provider": self.provider}
        if self.provider == "file":
            return {"provider": self.provider, "file": str(self.file)}
        hunyuan = {"provider": self.provider, "faces": self.faces, "seed": self.seed, "texture": self.texture}
        return {**hunyuan, **({"model": self.model} if self.provider == "hunyuan3d" else {"server": self.server})}
