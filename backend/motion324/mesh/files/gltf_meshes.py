"""Reads the meshes of a glTF file, each in its own space, with their materials: what every node that shows a mesh takes
from it.

Of a material: base colour, its texture, and which texture coordinates it reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.foreign_names import short
from motion324.core.reference_mesh import Material
from motion324.core.srgb import linear_to_srgb
from motion324.mesh.files.foreign import Damaged, check_counts
from motion324.mesh.files.gltf_container import GltfFile, as_fractions
from motion324.mesh.files.gltf_extensions import DRACO, DracoData, decode_draco, refused, without_data
from motion324.mesh.textures import Textures

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


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
            why = (error.strerror or "the disk does not give it").lower()
            self._warn(f"A texture of '{self._gltf.path}' is missing or cannot be read ({why})")
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


@dataclass
class Vertices:
    """Of one POSITION accessor: points (V, 3) float64 with morph weights applied, colour (V, 3) float32 as the file has
    it or None, joints (V, 4 K) and weights (V, 4 K) of a skin or None."""

    points: np.ndarray
    colour: np.ndarray | None = None
    joints: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass
class Primitive:
    """faces (F, 3) int64 of `vertices[group]`; uv (F, 3, 2) float32, v up, or None; material: its place among those
    used."""

    group: int
    faces: np.ndarray
    uv: np.ndarray | None
    material: int


@dataclass
class GltfMesh:
    """Primitives that share a POSITION accessor share its vertices."""

    vertices: list[Vertices] = field(default_factory=list)
    primitives: list[Primitive] = field(default_factory=list)


def read_gltf_mesh(gltf: GltfFile, index: object, weights: list[float], materials: GltfMaterials) -> GltfMesh:
    """Mesh number `index` with these morph weights; what is no triangles is left out."""
    mesh = GltfMesh()
    groups: dict[tuple[object, ...], int] = {}
    for primitive in gltf.item("meshes", index)["primitives"]:
        if primitive.get("mode", _TRIANGLES) not in (_TRIANGLES, _STRIP, _FAN):
            continue
        source = _Source(gltf, primitive)
        if source.key not in groups:
            groups[source.key] = len(mesh.vertices)
            mesh.vertices.append(_vertices(gltf, primitive, source, weights))
        faces = source.faces()
        place, coordinates = materials.use(primitive.get("material"))
        uv = None
        if coordinates is not None and f"TEXCOORD_{coordinates.channel}" in source.attributes:
            raw = source.attribute(f"TEXCOORD_{coordinates.channel}")
            if len(faces) and faces.min() >= 0 and faces.max() < len(raw):
                uv = coordinates.to_v_up(raw.astype(np.float64)).astype(np.float32)[faces]
        mesh.primitives.append(Primitive(groups[source.key], faces, uv, place))
    return mesh


class _Source:
    """Where a primitive's numbers come from: accessors of the file, or Draco's data where those have none."""

    def __init__(self, gltf: GltfFile, primitive: dict[str, Any]) -> None:
        self._gltf = gltf
        self._mode = primitive.get("mode", _TRIANGLES)
        self._indices = primitive.get("indices")
        self.attributes: dict[str, Any] = primitive["attributes"]
        position = self.attributes["POSITION"]
        self.count = gltf.accessor_count(position)
        corners = self.count if self._indices is None else gltf.accessor_count(self._indices)
        check_counts(gltf.path, self.count, corners // 3 if self._mode == _TRIANGLES else corners)
        packed = primitive.get("extensions", {}).get(DRACO)
        self._draco: DracoData | None = None
        if packed is not None and not gltf.has_data(position):
            self._draco = decode_draco(gltf.path, bytes(gltf.view(packed["bufferView"])), self.count, corners)
            self._numbers: dict[str, int] = packed["attributes"]
        elif not all(gltf.has_data(one) for one in (position, self._indices) if one is not None):
            raise without_data(gltf.path, primitive, "the positions or the indices of a mesh have no data")
        self.key = (position, None if self._draco is None else packed["bufferView"])

    def attribute(self, name: str) -> np.ndarray:
        """(V, width), normalised integers as fractions."""
        if self._draco is None or name not in self._numbers:
            found = self._gltf.accessor(self.attributes[name])
        else:
            found = self._draco.attributes.get(self._numbers[name], np.zeros((0, 0)))
            dtype, width, normalised = self._gltf.dtype_of(self.attributes[name])
            if found.shape != (self.count, width):
                raise refused(self._gltf.path, DRACO, "whose data differs from what the file says of it")
            found = as_fractions(found.astype(dtype)) if normalised else found
        if len(found) != self.count:
            raise Damaged(f"a mesh has {self.count} positions and {len(found)} values of {name}")
        return found

    def faces(self) -> np.ndarray:
        """(F, 3) int64"""
        if self._draco is not None:
            return self._draco.triangles
        if self._indices is None:
            return _triangles(np.arange(self.count), self._mode)
        return _triangles(self._gltf.accessor(self._indices)[:, 0].astype(np.int64), self._mode)


def _vertices(gltf: GltfFile, primitive: dict[str, Any], source: _Source, weights: list[float]) -> Vertices:
    points = source.attribute("POSITION").astype(np.float64)
    if points.shape[1] != 3:
        raise Damaged(f"the positions of a mesh have {points.shape[1]} coordinates")
    for weight, target in zip(weights, primitive.get("targets", []), strict=False):
        if weight and "POSITION" in target:
            points = points + weight * gltf.accessor(target["POSITION"]).astype(np.float64)
    colour = joints = spread = None
    if "COLOR_0" in source.attributes:
        raw = as_fractions(source.attribute("COLOR_0")[:, :3])  # also where `normalized` was forgotten
        colour = np.clip(raw, 0.0, 1.0).astype(np.float32)
    sets = [number for number in range(4) if {f"JOINTS_{number}", f"WEIGHTS_{number}"} <= source.attributes.keys()]
    if sets:
        joints = np.concatenate([source.attribute(f"JOINTS_{number}") for number in sets], axis=1).astype(np.intp)
        spread = np.concatenate([source.attribute(f"WEIGHTS_{number}") for number in sets], axis=1).astype(np.float64)
    return Vertices(points, colour, joints, spread)


def _triangles(indices: np.ndarray, mode: int) -> np.ndarray:
    """The corners of a list, strip or fan of triangles -> (F, 3)."""
    if mode == _TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.full(len(indices) - 2, indices[0]), indices[1:-1], indices[2:]], axis=1)
    strip = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
    strip[1::2] = strip[1::2][:, [1, 0, 2]]  # every second triangle of a strip is wound the other way
    return strip[(strip[:, 0] != strip[:, 1]) & (strip[:, 1] != strip[:, 2]) & (strip[:, 0] != strip[:, 2])]
