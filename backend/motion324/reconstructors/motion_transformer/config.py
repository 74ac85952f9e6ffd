"""Holds the sizes of a Motion 3-to-4 model, read off the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from motion324.core.errors import EXIT_USAGE, Motion324Error

IMAGE_PATCHES = 16  # a frame becomes 16 x 16 patches, whatever its size

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class ImageEncoderConfig:
    """DINOv2's sizes. grid: patches a side of its own position table (37 for the published 518 px)."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_width: int = 3072
    patch: int = 14
    grid: int = 37

    @property
    def image_size(self) -> int:
        """Pixels a side that every frame is resized to."""
        return IMAGE_PATCHES * self.patch


@dataclass(frozen=True)
class ModelConfig:
    """The defaults are the published model's (243.6 million parameters).

    width: of every token. head_width: of one attention head. latent_tokens: that the surface is summarised in.
    layer_pairs: of one global and one per-frame block each. frequencies: per axis of the point embedding.
    """

    width: int = 768
    head_width: int = 64
    mlp_width: int = 3072
    latent_tokens: int = 64
    special_tokens: int = 4
    surface_layers: int = 4
    layer_pairs: int = 8
    frequencies: int = 8
    image: ImageEncoderConfig = ImageEncoderConfig()

    @property
    def heads(self) -> int:
        return self.width // self.head_width

    @property
    def patch_tokens(self) -> int:
        return IMAGE_PATCHES * IMAGE_PATCHES

    @property
    def tokens_per_frame(self) -> int:
        return self.special_tokens + self.latent_tokens + self.patch_tokens

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        values = dict(values)
        return cls(image=ImageEncoderConfig(**values.pop("image")), **values)

    @classmethod
    def from_shapes(cls, shapes: Shapes, source: str) -> ModelConfig:
        """Infers the sizes of the model whose state dict has these tensors.

        The number of DINOv2's heads leaves no trace in any shape: its heads are as wide as the transformer's,
        which holds for every published DINOv2 (64). `source` names the file in errors.

        Raises Motion324Error("checkpoint-foreign") where a tensor that tells a size is missing or has the wrong rank,
        or where the sizes do not fit one another.
        """
        _, latent_tokens, width = _shape(shapes, "learnable_tokens", 3, source)
        special_tokens = _shape(shapes, "special_token_0", 3, source)[1]
        head_width = _shape(shapes, "encoder_cross_attn.attn.q_norm.weight", 1, source)[0]
        mlp_width = _shape(shapes, "encoder_cross_attn.mlp.mlp.0.weight", 2, source)[0]
        basis = _shape(shapes, "point_embed.basis", 2, source)
        _, entries, image_width = _shape(shapes, "image_encoder.model.pos_embed", 3, source)
        patch = _shape(shapes, "image_encoder.model.patch_embed.proj.weight", 4, source)[-1]
        image_mlp = _shape(shapes, "image_encoder.model.blocks.0.mlp.fc1.weight", 2, source)[0]
        grid = round((entries - 1) ** 0.5)
        pairs = _count(shapes, "global_transformer_blocks")
        problems = [
            (grid * grid + 1 != entries, f"DINOv2's position table has {entries} entries, which is no square plus one"),
            (width != image_width, f"its tokens are {width} wide, but DINOv2's {image_width}"),
            (width % 6 != 0, f"its width {width} is no multiple of 6, as the space-time table needs"),
            (head_width == 0 or width % head_width != 0, f"its width {width} is no multiple of a head's {head_width}"),
            (pairs == 0, "it has no transformer blocks"),
            (pairs != _count(shapes, "local_transformer_blocks"), "it has unequally many global and per-frame blocks"),
        ]
        for wrong, sentence in problems:
            if wrong:
                raise foreign(source, sentence)
        return cls(
            width=width,
            head_width=head_width,
            mlp_width=mlp_width,
            latent_tokens=latent_tokens,
            special_tokens=special_tokens,
            surface_layers=_count(shapes, "points_transformer_blocks"),
            layer_pairs=pairs,
            frequencies=basis[1] // 3,
            image=ImageEncoderConfig(
                width=image_width,
                depth=_count(shapes, "image_encoder.model.blocks"),
                heads=image_width // head_width,
                mlp_width=image_mlp,
                patch=patch,
                grid=grid,
            ),
        )


def foreign(source: str, why: str) -> Motion324Error:
    return Motion324Error(
        "checkpoint-foreign",
        f"{source} is not a checkpoint of the Motion 3-to-4 model: {why}.",
        "Give the published ckpt_0000000000060000.pt, or a file that `motion324 weights convert` made from it.",
        EXIT_USAGE,
    )


def _shape(shapes: Shapes, name: str, rank: int, source: str) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise foreign(source, f"it has no tensor {name}")
    if len(shape) != rank:
        raise foreign(source, f"{name} has the shape {tuple(shape)} where one of {rank} axes is needed")
    return tuple(shape)


def _count(shapes: Shapes, prefix: str) -> int:
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    return len({match.group(1) for name in shapes if (match := pattern.match(name))})
