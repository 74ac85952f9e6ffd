"""The materials of a glTF file: base colour, its texture, and which texture coordinates it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.reference_mesh import Material
from motion324.core.srgb import linear_to_srgb
from motion324.mesh.files.foreign import short
from motion324.mesh.files.gltf_container import GltfFile
from motion324.mesh.textures import Textures


@dataclass(frozen=True)
class TextureCoordinates:
    """Which TEXCOORD_n a material reads, and its KHR_texture_transform."""

    channel: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    def to_v_up(self, uv: np.ndarray) -> np.ndarray:
        """uv (N, 2) as in the file, v down -> (N, 2) as the texture is read, v up."""
        if (self.offset, self.rotation, self.scale) != ((0.0, 0.0), 0.0, (1.0, 1.0)):
            c, s = math.cos(self.rotation), math.sin(self.rotation)
            scaled = uv * np.array(self.scale)
            uv = np.stack([c * scaled[:, 0] + s * scaled[:, 1], -s * scaled[:, 0] + c * scaled[:, 1]], axis=1)
            uv = uv + np.array(self.offset)
        return np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1)


class GltfMaterials:
    """Reads a file's materials as its primitives ask for them; an image is decoded once, and only if it is used.

    What cannot be read is told in `warnings`, and plain colours stand in for it.
    """

    def __init__(self, gltf: GltfFile) -> None:
        self._gltf = gltf
        self._materials: list[Material | None] = []
        self._places: dict[int | None, tuple[int, TextureCoordinates | None]] = {}
        self._images: dict[tuple[str, str], np.ndarray | None] = {}
        self._textures = Textures(gltf.progress)
        self.warnings: list[dict[str, str]] = []

    def use(self, index: int | None) -> tuple[int, TextureCoordinates | None]:
        """A primitive's material (None: it has none) -> its place in `used()`, and its texture coordinates, if any."""
        if index not in self._places:
            material, coordinates = (None, None) if index is None else self._read(index)
            self._places[index] = (len(self._materials), coordinates)
            self._materials.append(material)
        return self._places[index]

    def used(self, plain_is_white: bool) -> tuple[Material, ...]:
        """In the order of first use. Primitives without a material are white where vertex colours paint them."""
        plain = Material(base_colour=(1.0, 1.0, 1.0, 1.0)) if plain_is_white else Material()
        return tuple(material or plain for material in self._materials) or (plain,)

    def _read(self, index: int) -> tuple[Material, TextureCoordinates | None]:
        description = self._gltf.item("materials", index)
        specular = description.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
        metallic = description.get("pbrMetallicRoughness", {})
        if specular is not None:
            factor, texture = specular.get("diffuseFactor"), specular.get("diffuseTexture")
        else:
            factor, texture = metallic.get("baseColorFactor"), metallic.get("baseColorTexture")
        factor = np.nan_to_num(np.array(factor if factor is not None else (1, 1, 1, 1), dtype=np.float64), nan=1.0)
        red, green, blue = (float(value) for value in linear_to_srgb(factor[:3]))
        image = self._texture(texture) if texture is not None else None
        material = Material(
            name=short(str(description.get("name", f"material {index}"))),
            base_colour=(red, green, blue, float(np.clip(factor[3], 0, 1))),
            texture=image,
        )
        return material, _coordinates(texture) if image is not None and texture is not None else None

    def _texture(self, reference: dict[str, Any]) -> np.ndarray | None:
        texture = self._gltf.item("textures", reference["index"])
        extensions = texture.get("extensions", {})
        sources = [extensions.get(name, {}).get("source") for name in ("EXT_texture_webp", "EXT_texture_avif")]
        source = next((found for found in sources if found is not None), texture.get("source"))
        if source is None:
            self._warn(f"A texture of '{self._gltf.path}' is in a format that cannot be read ({_named(extensions)})")
            return None
        image = self._gltf.item("images", source)
        key = (str(image.get("uri")), str(image.get("bufferView")))
        if key not in self._images:
            self._images[key] = self._decoded(source)
        return self._images[key]

    def _decoded(self, source: object) -> np.ndarray | None:
        try:
            data, name = self._gltf.image_bytes(source)
            texture, why = self._textures.decode(data, name)
            if texture is None:
                self._warn(f"The texture '{name}' of '{self._gltf.path}' cannot be decoded ({why})")
            return texture
        except Cancelled:
            raise
        except OSError as error:
            self._warn(f"A texture of '{self._gltf.path}' is missing or cannot be read ({error})")
        except Motion324Error as error:
            self._warn(f"A texture of '{self._gltf.path}' is not read ({error.sentence.rstrip('.')})")
        return None

    def _warn(self, what: str) -> None:
        warning = {"code": "mesh-materials", "sentence": f"{what}; the material's plain colour is used."}
        if warning not in self.warnings:
            self.warnings.append(warning)


def _named(extensions: dict[str, Any]) -> str:
    return short(", ".join(extensions) or "it names no image")


def _coordinates(reference: dict[str, Any]) -> TextureCoordinates:
    transform = reference.get("extensions", {}).get("KHR_texture_transform", {})
    offset, scale = transform.get("offset", (0, 0)), transform.get("scale", (1, 1))
    return TextureCoordinates(
        channel=int(transform.get("texCoord", reference.get("texCoord", 0))),
        offset=(float(offset[0]), float(offset[1])),
        rotation=float(transform.get("rotation", 0.0)),
        scale=(float(scale[0]), float(scale[1])),
    )
