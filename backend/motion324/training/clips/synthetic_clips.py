"""Makes synthetic samples for the motion transformer: rigs posed, lit, filmed and cut out on the device.

Clips are made in chunks of a fixed size, numbered over the whole run: what is drawn for a chunk depends on its number
and the seed alone, whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.blocks import cut_out_on_black
from motion324.training.clips.motion_batch import MotionBatch, Shares, joined
from motion324.training.clips.split import draw_weights, none_to_train_on, split
from motion324.training.shared.config import DataConfig, SyntheticConfig
from motion324.training.shared.gpu_work import Prefetcher
from motion324.training.shared.processes import Processes
from motion324.training.shared.settings import SynthesisSettings, validation_settings
from motion324.training.synthesis.appearance import Appearance
from motion324.training.synthesis.creatures.creature import make_creatures
from motion324.training.synthesis.filming import filmed_clips
from motion324.training.synthesis.geometry import face_normals, mixed, surface_samples, vertex_normals
from motion324.training.synthesis.pictures import estimated_masks
from motion324.training.synthesis.rig_bank import Draws, ModelBatch, RigBank
from motion324.training.synthesis.rigs import read_rigs

VALIDATION_SEED = 324


class MotionClips:
    """Chunks of clips from a bank of rigs, by number; the same seed gives the same chunks on the same kind of device.

    weights: how often each rig is drawn, summing to 1; None: every rig in turn, clip by clip.
    """

    def __init__(
        self,
        bank: RigBank,
        settings: SynthesisSettings,
        data: DataConfig,
        chunk: int,
        weights: list[float] | None,
        seed: int,
    ) -> None:
        self.bank, self.settings, self.data, self.chunk = bank, settings, data, chunk
        self._weights = weights
        self._seed = seed

    @torch.no_grad()
    def make(self, number: int) -> MotionBatch:
        """The chunk with this number: `chunk` clips, on the bank's device."""
        settings, count = self.settings, self.chunk
        hosts = np.random.default_rng([self._seed, number])
        draws = Draws(int(hosts.integers(1 << 62)), self.bank.device)
        rigs = len(self.bank.names)
        if self._weights is None:
            chosen = [place % rigs for place in range(number * count, (number + 1) * count)]
        else:
            chosen = hosts.choice(rigs, count, p=self._weights).tolist()
        clips = filmed_clips(self.bank, chosen, settings, draws, hosts)
        masks = estimated_masks(clips.alpha, clips.shade, settings, draws)
        object_alone = cut_out_on_black(clips.frames, masks)[:, :, :3]
        points = [
            _coloured_points(clips.vertices, clips.models, clips.appearance, size, smooth, count, draws)
            for size, smooth in ((self.data.surface_points, False), (self.data.query_points, True))
        ]
        return MotionBatch(
            video=(object_alone * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).contiguous(),
            surface=points[0][0],
            points=points[1][0],
            targets=points[1][1],
            names=tuple(self.bank.names[rig] for rig in chosen),
        )


class SyntheticSource:
    """This process's batches from a step on, made ahead in a thread. Close it when done. waited: seconds, in all."""

    def __init__(self, clips: MotionClips, shares: Shares, step: int, processes: Processes) -> None:
        self._clips = clips
        self._numbers = shares.from_step(step)
        self._prefetcher = Prefetcher(self._make, processes.device)

    def next(self) -> MotionBatch:
        return self._prefetcher.next()

    @property
    def waited(self) -> float:
        return self._prefetcher.waited

    def close(self) -> None:
        self._prefetcher.close()

    def _make(self) -> MotionBatch:
        return joined(list(_chunks(self._clips, next(self._numbers))))


def training_clips(config: SyntheticConfig, data: DataConfig, seed: int, device: torch.device) -> MotionClips:
    """Of the creatures, and of all rigs but those that are held out.

    Raises Motion324Error("rigs-missing" or "rig-broken").
    """
    rigs = split(read_rigs(Path(config.rigs)))[0] if config.rigs else []
    rigs += make_creatures(config.creatures, seed)
    if not rigs:
        raise none_to_train_on(Path(config.rigs), "synthetic.creatures")
    bank = RigBank(rigs, device)
    return MotionClips(bank, _settings(config, data), data, config.chunk, draw_weights(bank.names), seed)


def validation_clips(config: SyntheticConfig, data: DataConfig, seed: int, device: torch.device) -> MotionClips | None:
    """Of the held-out rigs, as their authors animated them; without a folder of rigs, of creatures of another seed.

    None where the folder has none of these rigs.
    """
    if config.rigs:
        rigs = split(read_rigs(Path(config.rigs)))[1]
    else:
        rigs = make_creatures(1, VALIDATION_SEED + seed + 1)
    if not rigs:
        return None
    settings = validation_settings(_settings(config, data))
    return MotionClips(RigBank(rigs, device), settings, data, config.chunk, None, VALIDATION_SEED)


def clips_of(clips: MotionClips, numbers: range) -> MotionBatch:
    """The clips of these numbers, which begin and end with a chunk."""
    return joined(list(_chunks(clips, numbers)))


def _chunks(clips: MotionClips, numbers: range) -> Iterator[MotionBatch]:
    for chunk in range(numbers.start // clips.chunk, numbers.stop // clips.chunk):
        yield clips.make(chunk)


def _settings(config: SyntheticConfig, data: DataConfig) -> SynthesisSettings:
    return replace(config.clips, frames=data.frames, image_size=data.image_size, oversampling=config.oversampling)


def _coloured_points(
    vertices: Tensor,
    models: ModelBatch,
    appearance: Appearance,
    size: int,
    smooth: bool,
    count: int,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """Points on the surface of the reference frame (B, size, 9), and where they are in every frame (B, T, size, 3).

    smooth: with the normals of the vertices, in between these, instead of the faces'.
    """
    face, weights = surface_samples(vertices[:, 0], models, count, size, draws)
    corner = models.faces[face]
    clip = torch.arange(count, device=face.device).repeat_interleave(size)
    tracks = mixed(vertices[corner].transpose(1, 2), weights[:, None])  # (B * size, T, 3)
    normals = face_normals(vertices[:, 0], models.faces)[face]
    if smooth:
        between = mixed(vertex_normals(vertices[:, :1], models)[corner, 0], weights)
        length = between.norm(dim=-1, keepdim=True)
        normals = torch.where(length > 0.1, between / length.clamp(min=0.1), normals)
    base = mixed(appearance.vertex_colours[corner], weights)
    colours = appearance.coloured(base, mixed(models.rest[corner], weights), clip).clamp(0, 1)
    points = torch.cat([tracks[:, 0], normals, colours], dim=-1).unflatten(0, (count, size))
    return points, tracks.unflatten(0, (count, size)).transpose(1, 2).contiguous()
