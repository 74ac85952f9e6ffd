"""Makes whole batches of synthetic clips: posed, lit, filmed and cut out on the device, with tracks as a fit would find
them.

The tracks say where a fit to flow and silhouettes that starts from the model's own first answer would believe nodes to
be. What such fits were found to do, on clips of held-out rigs: of the answer's error across the view they keep 0.6 to 1
where a node is seen and 0.7 to 1 where it is not, and make an error of half that size of their own, which changes
slowly and in part not at all from frame to frame; motion comes out too small by a tenth to a third. They never move
anything along the view.

Letters: B clips, T frames, K nodes, P points, S the frames' side, V vertices and F faces of all clips together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.blocks import cut_out_on_black
from motion324.reconstructors.node_model.config import HIDDEN_BEHIND
from motion324.reconstructors.node_model.geometry import turn
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.drawing import Drawable, as_drawable, draw
from motion324.training.synthesis.filming import FilmedClips, filmed_clips
from motion324.training.synthesis.geometry import face_normals, mixed, surface_samples, vertex_normals
from motion324.training.synthesis.pictures import Cameras, estimated, estimated_masks
from motion324.training.synthesis.rig_bank import Draws, RigBank

WRONGLY_SEEN_SHARE = 0.08
NEIGHBOURHOOD = (0.03, 0.15)  # distance over which nodes err alike
KEPT = (0.4, 1.1)  # of the answer's error
KEPT_NODE, KEPT_FRAME = 0.35, 0.15  # how much that differs from node to node, and from frame to frame
HIDDEN_KEPT = (0.3, 1.0)  # how much nearer to keeping all of it, where a node is hidden
ERROR = 0.0015  # of every node, normalised space
MOST_ERROR_OF_MOTION = 0.2
JITTER = 0.001  # of every node and frame by itself
LAGGING_SHARE, MOST_LAG = 0.6, 0.2  # of the clips; part of a node's motion that is missed
VALUES_OF_PIXEL = 6  # colours, opacity and motion, as they are rendered
MOST_VALUES = 2**31 - 1  # of a tensor: some kernels number them in 32 bits
MAKERS_APART = 1_000_000  # of seeds: more than runs and their processes have
STEADY = (0.1, 0.7)  # part of an error's square that stays the same in all frames
LASTING = (0.3, 4.0)  # standard deviation, in frames, over which the rest of it is smooth


@dataclass(frozen=True)
class TrackErrors:
    """moved (B, T, K, 2): how far nodes truly move in the plane of their depth at the reference frame. kept (B, T, K):
    part of the model's own error there that the fit leaves; 0 of clips without tracks."""

    moved: Tensor
    kept: Tensor


def moved_across(home: Tensor, displacement: Tensor) -> Tensor:
    """home (B, K, 3) in camera space, displacement (B, T, K, 3) -> (B, T, K, 2): what is seen of it, as far away as at
    the reference frame."""
    home = home[:, None]
    now = home + displacement
    return home[..., 2:] * now[..., :2] / now[..., 2:].clamp(min=1e-2) - home[..., :2]


def estimated_tracks(
    places: Tensor, seen: Tensor, home: Tensor, focal: Tensor, share: float, draws: Draws
) -> tuple[Tensor, TrackErrors]:
    """places (B, T, K, 2): of the nodes in the frames, -1..1. seen (B, T, K) bool. home (B, K, 3): the nodes in camera
    space at the reference frame, focal (B,): in units of the frame's side, both as the model is told.

    Returns tracks (B, T, K, 5) as NodeInputs has them, but for what the model's own error adds to them: for this share
    of the clips; else all 0.
    """
    b, t, k = seen.shape
    moved = (places - places[:, :1]) * (home[:, None, :, 2:] / (2 * focal.view(-1, 1, 1, 1)))  # (B, T, K, 2)
    distance = ((home[:, :, None] - home[:, None]) ** 2).sum(dim=-1)  # (B, K, K)
    smooth = _smoothing(distance, draws.uniform(*NEIGHBOURHOOD, b, 1, 1))
    frame = torch.arange(t, device=home.device)
    lasting = _smoothing((frame[:, None] - frame) ** 2, draws.uniform(*LASTING, b, 1, 1))  # (B, T, T)

    steady = draws.uniform(*STEADY, b, 1, 1, 1)
    changing = (lasting @ draws.normal(b, t, 2 * k)).unflatten(-1, (k, 2))
    noise = steady.sqrt() * draws.normal(b, 1, k, 2) + (1 - steady).sqrt() * changing
    level = ERROR + MOST_ERROR_OF_MOTION * draws.uniform(0, 1, b, 1, 1, 1) ** 1.5 * moved.norm(dim=-1, keepdim=True)
    lag = MOST_LAG * draws.uniform(0, 1, b, 1, k, 1) * draws.chance(LAGGING_SHARE, b, 1, 1, 1)
    believed = (moved + level * (smooth[:, None] @ noise) + JITTER * draws.normal(b, t, k, 2)) * (1 - lag)

    kept = draws.uniform(*KEPT, b, 1, 1) + KEPT_NODE * (smooth @ draws.normal(b, k, 1)).transpose(1, 2)
    kept = kept + KEPT_FRAME * (smooth[:, None] @ (lasting @ draws.normal(b, t, k))[..., None])[..., 0]
    kept = torch.where(seen, kept, kept + (1 - kept) * draws.uniform(*HIDDEN_KEPT, b, 1, 1)).clamp(0, KEPT[1])

    given = draws.chance(share, b, 1, 1).float().expand(b, t, k)
    flags = torch.stack([(seen ^ draws.chance(WRONGLY_SEEN_SHARE, b, t, k)).float(), given], dim=-1)
    tracks = torch.cat([believed, torch.zeros_like(believed[..., :1]), flags], dim=-1) * given[..., None]
    kept = kept * given
    tracks[:, 0, :, :3], kept[:, 0] = 0, 0
    return tracks, TrackErrors(moved, kept)


def _smoothing(squared: Tensor, width: Tensor) -> Tensor:
    """squared (..., N, N): squares of distances, width: standard deviation of a Gaussian, as broadcast to them
    -> weights (..., N, N) by which sums of unit noise have variance 1 and are alike where they are near."""
    near = torch.exp(-squared / (2 * width**2))
    return near / near.square().sum(dim=-1, keepdim=True).sqrt()


def with_own_errors(tracks: Tensor, errors: TrackErrors, home: Tensor, answer: Tensor) -> Tensor:
    """The tracks of a fit that has started from the model's answer: displacements of the nodes (B, T, K, 3), of which
    the reference frame's is 0. home (B, K, 3): as above."""
    wrong = errors.kept[..., None] * (moved_across(home, answer) - errors.moved)
    return torch.cat([tracks[..., :2] + wrong, tracks[..., 2:]], dim=-1)


@dataclass(frozen=True)
class TrainingBatch:
    """inputs: what the model is given. targets (B, T, P, 3): the points' true places, in the inputs' coordinates.

    node_places (B, T, K, 2): where the nodes truly are in the frames, -1..1. node_seen (B, T, K): whether they show.
    node_targets (B, T, K, 3): the nodes' true places. drawable: the meshes, where answers are to be drawn.
    track_errors: what the inputs' tracks lack of those of a fit. names: the rigs' names.
    """

    inputs: NodeInputs
    targets: Tensor
    node_places: Tensor
    node_seen: Tensor
    node_targets: Tensor
    drawable: Drawable | None
    track_errors: TrackErrors
    names: tuple[str, ...]


def without_tracks(batch: TrainingBatch) -> TrainingBatch:
    """The same clips, of which the model is told no tracks."""
    return replace(batch, inputs=replace(batch.inputs, tracks=None))


def some_clips(batch: TrainingBatch, start: int, stop: int) -> TrainingBatch:
    """The clips from start to before stop, of a batch whose meshes are not to be drawn."""

    def some(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: some(getattr(value, field.name)) for field in fields(value)})
        return None if value is None else value[start:stop]

    found: TrainingBatch = some(batch)
    return found


class Synthesiser:
    """Draws batches from a bank of rigs; the same seed gives the same batches on the same device."""

    def __init__(self, bank: RigBank, settings: SynthesisSettings, draw_weights: list[float] | None, seed: int) -> None:
        self.bank = bank
        self.settings = settings
        self._draw_weights = draw_weights
        self._seed = seed
        self._draws = Draws(seed, bank.device)
        self._hosts = np.random.default_rng(seed)

    @torch.no_grad()
    def batch(self, size: int, chosen: list[int] | None = None) -> TrainingBatch:
        """A batch of `size` clips of the chosen rigs, or of rigs drawn by their weights."""
        settings, draws = self.settings, self._draws
        if chosen is None:
            chosen = self._hosts.choice(len(self.bank.names), size, p=self._draw_weights).tolist()
        clips = filmed_clips(self.bank, chosen, settings, draws, self._hosts)
        masks = estimated_masks(clips.alpha, clips.shade, settings, draws)
        names = tuple(self.bank.names[rig] for rig in chosen)
        return _as_batch(clips, cut_out_on_black(clips.frames, masks), settings, draws, names)

    def several(self, count: int) -> list[Synthesiser]:
        """This one and others of its kind, for threads of their own."""
        seeds = [MAKERS_APART * number + self._seed for number in range(1, count)]
        return [self, *(Synthesiser(self.bank, self.settings, self._draw_weights, seed) for seed in seeds)]

    def batches(self, size: int, at_once: int) -> Iterator[TrainingBatch]:
        """Batches without end, so many of them made at once: on a GPU most of what is done to clips costs as much for
        many as for few. Fewer where a tensor would be too large for PyTorch's kernels. Meshes that are to be drawn are
        not told apart, so that such batches are made one by one."""
        settings = self.settings
        clip = settings.frames * (settings.image_size * settings.oversampling) ** 2 * VALUES_OF_PIXEL
        many = 1 if settings.drawn else max(1, min(at_once, MOST_VALUES // (clip * size)))
        while True:
            made = self.batch(size * many)
            for start in range(0, size * many, size):
                yield made if many == 1 else some_clips(made, start, start + size)


def _as_batch(
    clips: FilmedClips, frames: Tensor, settings: SynthesisSettings, draws: Draws, names: tuple[str, ...]
) -> TrainingBatch:
    size = len(names)
    vertices, models, cameras, appearance = clips.vertices, clips.models, clips.cameras, clips.appearance
    face, weights = surface_samples(vertices[:, 0], models, size, settings.points, draws)
    corner = models.faces[face]  # (B * P, 3)
    clip = torch.arange(size, device=face.device).repeat_interleave(settings.points)
    tracks = mixed(vertices[corner].transpose(1, 2), weights[:, None])  # (B * P, T, 3)
    normals = face_normals(vertices[:, 0], models.faces)[face]
    base = mixed(appearance.vertex_colours[corner], weights)
    colours = appearance.coloured(base, mixed(models.rest[corner], weights), clip)
    grey = draws.chance(settings.no_colour_share, size)
    colours = torch.where(grey[clip, None], torch.full_like(colours, 0.6), colours)

    seen_as = estimated(cameras, settings, draws)
    turned = turn(seen_as.rotation[clip, None], tracks).unflatten(0, (size, -1))  # (B, P, T, 3)
    targets = turned.transpose(1, 2).contiguous()
    normals = turn(seen_as.rotation[clip], normals)
    points = torch.cat([targets[:, 0], normals.unflatten(0, (size, -1)), colours.unflatten(0, (size, -1))], dim=-1)

    chosen = farthest_points(targets[:, 0], settings.nodes)
    tracks = tracks.unflatten(0, (size, -1))
    node_tracks = tracks.gather(1, chosen[:, :, None, None].expand(-1, -1, *tracks.shape[2:]))  # (B, K, T, 3)
    places, seen = _seen(node_tracks, cameras, clips.depth)
    node_targets = targets.gather(2, chosen[:, None, :, None].expand(-1, targets.shape[1], -1, 3))
    nodes = points.gather(1, chosen[..., None].expand(-1, -1, points.shape[-1]))
    home = nodes[..., :3] + seen_as.translation[:, None]
    believed, errors = estimated_tracks(places, seen, home, seen_as.intrinsics[:, 0], settings.tracks_share, draws)
    visible = seen[:, 0] ^ draws.chance(0.02, size, settings.nodes)
    nodes = torch.cat([nodes, visible[..., None].float()], dim=-1)
    inputs = NodeInputs(frames, clips.times, seen_as.intrinsics, seen_as.translation, nodes, points, believed)
    drawable = None
    if settings.drawn or settings.other_pose_share or settings.drawn_reference_share:
        whole = [vertices[:, 0], vertex_normals(vertices[:, :1], models)[:, 0]]
        whole = [turn(seen_as.rotation[models.vertex_clip], part) for part in whole]
        drawable = as_drawable(whole[0], whole[1], models, appearance, grey, settings, draws)
        reference, _ = draw(whole[0][:, None], drawable, inputs, settings.image_size, settings.oversampling)
        is_drawn = clips.other | draws.chance(settings.drawn_reference_share, size)
        first = torch.where(is_drawn[:, None, None, None], reference[:, 0], frames[:, 0])
        inputs = replace(inputs, frames=torch.cat([first[:, None], frames[:, 1:]], dim=1))
    drawable = drawable if settings.drawn else None
    return TrainingBatch(inputs, targets, places, seen, node_targets, drawable, errors, names)


def _seen(tracks: Tensor, cameras: Cameras, depth: Tensor) -> tuple[Tensor, Tensor]:
    """tracks (B, K, T, 3), depth (B, T, S', S') -> places (B, T, K, 2) in -1..1, and what shows there (B, T, K)."""
    clip = torch.arange(len(tracks), device=tracks.device)
    camera_points = cameras.to_camera(tracks, clip)
    places = 2 * cameras.to_square(camera_points, clip).transpose(1, 2) - 1
    inside = (places.abs() < 1).all(dim=-1)
    side = depth.shape[-1]
    pixel = ((places + 1) / 2 * side).long().clamp(0, side - 1)
    at = depth.flatten(2).gather(2, pixel[..., 1] * side + pixel[..., 0])
    return places, inside & (camera_points[..., 2].transpose(1, 2) < at + HIDDEN_BEHIND) & at.isfinite()


def farthest_points(points: Tensor, count: int) -> Tensor:
    """points (B, P, 3) -> (B, count): indices, each the farthest from those before it; the first is point 0."""
    chosen = torch.zeros(points.shape[0], count, dtype=torch.long, device=points.device)
    nearest = torch.full(points.shape[:2], float("inf"), device=points.device)
    for number in range(1, count):
        last = points.gather(1, chosen[:, number - 1, None, None].expand(-1, 1, 3))
        nearest = nearest.minimum(((points - last) ** 2).sum(dim=-1))
        chosen[:, number] = nearest.argmax(dim=1)
    return chosen
