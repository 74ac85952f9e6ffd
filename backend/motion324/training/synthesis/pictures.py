"""Draws cameras, and the pictures that the model sees of rendered pixels, with the errors of real use.

Random cameras around the mesh, cropped to the object, and the views that a search would have estimated of them; then
backgrounds, poor video, and estimated masks. Letters: B clips, T frames, S the side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.geometry import turn
from motion324.training.shared.fused import fused
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.geometry import product, rotation_about
from motion324.training.synthesis.grading import graded
from motion324.training.synthesis.rig_bank import Draws, ModelBatch

GROSS = 3.0  # how much worse the worst of estimated views are
NEAREST = 0.35  # the least depth of any vertex, in normalised space
BLOCK = 8  # pixels; the side of what is compressed at once
FEWER_PIXELS = (2, 3, 4)  # so many times on each side
LONGEST_BLUR, BLUR_TAPS = 0.06, 7  # in parts of the picture's side; pictures that a blurred one is the mean of


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras, one per clip, as motion324.core.view has them, of a square cut out around the object.

    rotation (B, 3, 3), translation (B, 3): normalised space -> camera space (x right, y down, z ahead).
    intrinsics (B, 3): focal length and principal point, in units of the square's side.
    """

    rotation: Tensor
    translation: Tensor
    intrinsics: Tensor

    def to_camera(self, points: Tensor, clip: Tensor) -> Tensor:
        """points (V, ..., 3) of the clips (V,) -> camera space."""
        matrix = self.rotation[clip].view(-1, *(1,) * (points.dim() - 2), 3, 3)
        return turn(matrix, points) + self.translation[clip].view(-1, *(1,) * (points.dim() - 2), 3)

    def to_square(self, camera_points: Tensor, clip: Tensor) -> Tensor:
        """camera_points (V, ..., 3) -> (V, ..., 2) in units of the square's side, 0..1 inside."""
        intrinsics = self.intrinsics[clip].view(-1, *(1,) * (camera_points.dim() - 2), 3)
        depth = camera_points[..., 2:].clamp(min=1e-2)
        return intrinsics[..., :1] * camera_points[..., :2] / depth + intrinsics[..., 1:]


def sample_cameras(vertices: Tensor, models: ModelBatch, draws: Draws) -> Cameras:
    """vertices (V, T, 3) in normalised space."""
    batch, device = len(models.clip_vertices), vertices.device
    azimuth = draws.uniform(0, 2 * math.pi, batch)
    elevation = draws.uniform(math.radians(-10), math.radians(40), batch)
    half_view = draws.uniform(math.radians(10), math.radians(30), batch)
    reach = vertices.norm(dim=-1).amax(dim=1)[models.clip_vertices].amax(dim=1)
    distance = reach * draws.uniform(1.0, 1.5, batch) / half_view.sin()
    distance = distance.maximum(reach + NEAREST)
    sine, cosine = azimuth.sin(), azimuth.cos()
    ahead = -torch.stack([sine * elevation.cos(), elevation.sin(), cosine * elevation.cos()], dim=-1)
    right = torch.stack([cosine, torch.zeros_like(cosine), -sine], dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(ahead, right), ahead], dim=1)
    tilt = math.radians(2) * draws.normal(batch, 3) * torch.tensor([1.0, 1.0, 0.7], device=device)
    rotation = product(rotation_about(tilt), rotation)
    aim = draws.uniform(-0.1, 0.1, batch, 3)
    aim[:, 2] = 0
    translation = aim + torch.stack([torch.zeros_like(distance), torch.zeros_like(distance), distance], dim=-1)
    cameras = Cameras(rotation, translation, torch.tensor([1.0, 0.0, 0.0], device=device).expand(batch, 3))
    return Cameras(rotation, translation, _square_around(vertices, models, cameras, draws))


def _square_around(vertices: Tensor, models: ModelBatch, cameras: Cameras, draws: Draws) -> Tensor:
    """(B, 3): intrinsics of a square around the object in all frames, with a margin, rarely too narrow."""
    batch, clip = len(cameras.rotation), models.vertex_clip
    seen = cameras.to_square(cameras.to_camera(vertices, clip), clip)
    low = seen.amin(dim=1)[models.clip_vertices].amin(dim=1)
    high = seen.amax(dim=1)[models.clip_vertices].amax(dim=1)
    narrow = draws.chance(0.06, batch)
    margin = torch.where(narrow, draws.uniform(0.7, 1.0, batch), draws.uniform(1.05, 1.3, batch))
    side = (high - low).amax(dim=1) * margin
    centre = (low + high) / 2 + side[:, None] * draws.uniform(-0.02, 0.02, batch, 2)
    return torch.cat([1 / side[:, None], 0.5 - centre / side[:, None]], dim=-1)


def estimated(cameras: Cameras, settings: SynthesisSettings, draws: Draws) -> Cameras:
    """The cameras with the errors of an estimate: turned, shifted, focal length and distance wrong together."""
    batch = len(cameras.rotation)
    wrong = draws.chance(settings.view_error_share, batch, 1) * GROSS ** draws.chance(
        settings.gross_view_share, batch, 1
    )
    error = math.radians(settings.view_degrees) * draws.normal(batch, 3) * wrong
    rotation = product(rotation_about(error), cameras.rotation)
    zoom = (settings.view_scale * 2 * draws.normal(batch, 1) * wrong).exp()
    size = (settings.view_scale * 0.3 * draws.normal(batch, 1) * wrong).exp()
    shift = settings.view_shift * draws.normal(batch, 2) * wrong
    translation = cameras.translation * torch.cat([torch.ones_like(zoom).expand(-1, 2), zoom * size], dim=-1)
    focal = cameras.intrinsics[:, :1] * zoom
    return Cameras(rotation, translation, torch.cat([focal, cameras.intrinsics[:, 1:] + shift], dim=-1))


def as_filmed(
    colours: Tensor, alpha: Tensor, shade: Tensor | None, settings: SynthesisSettings, draws: Draws
) -> Tensor:
    """colours (B, T, 3, S, S) times alpha, alpha and shade of the floor (B, T, 1, S, S) -> frames (B, T, 3, S, S) in
    0..1."""
    b, _, _, s, _ = colours.shape
    one = (b, 1, 1, 1, 1)
    backgrounds = _backgrounds(b, s, draws)[:, None]
    if shade is not None:
        backgrounds = backgrounds * (1 - shade)
    poor = draws.chance(settings.degraded_share, *one)
    tone = torch.where(poor, (0.12 * draws.normal(*one)).exp(), torch.ones(1, device=draws.device))
    tint = torch.where(poor, (0.06 * draws.normal(b, 1, 3, 1, 1)).exp(), 1.0)
    softness = draws.chance(0.5, *one) * draws.uniform(0, 1, *one) * poor
    coarse = draws.chance(0.6, *one) & poor
    noise = draws.normal(*colours.shape)
    noisiness = draws.uniform(0, 0.025, *one) * poor
    if settings.graded_share:
        colours = graded(colours, alpha, backgrounds, settings.graded_share, draws)
    frames = _toned(colours, alpha, backgrounds, tone, tint)
    if settings.small_share:
        frames = _of_few_pixels(frames, settings.small_share, draws)
    frames = _degraded(frames, softness, coarse, noise, noisiness)
    if settings.compressed_share:
        packed = draws.chance(settings.compressed_share, b).nonzero().squeeze(1)
        step = draws.log_uniform(0.03, 0.3, *one)
        frames[packed] = compressed(frames[packed], step[packed]).clamp(0, 1)
    return frames


@fused
def _toned(colours: Tensor, alpha: Tensor, backgrounds: Tensor, tone: Tensor, tint: Tensor) -> Tensor:
    return (colours + (1 - alpha) * backgrounds).clamp(1e-4, 1) ** tone * tint


@fused
def _degraded(frames: Tensor, softness: Tensor, coarse: Tensor, noise: Tensor, noisiness: Tensor) -> Tensor:
    frames = torch.lerp(frames, _blurred(frames), softness)
    frames = torch.where(coarse, _coarse_colours(frames), frames)
    return (frames + noise * noisiness).clamp(0, 1)


def _of_few_pixels(frames: Tensor, share: float, draws: Draws) -> Tensor:
    """Some clips as where the object is small in its video: of a half to a fourth of the pixels on each side."""
    b, t, _, s, _ = frames.shape
    kind = draws.uniform(0, 1, b)
    frames = frames.clone()
    for number, divisor in enumerate(FEWER_PIXELS):
        low, high = number / len(FEWER_PIXELS) * share, (number + 1) / len(FEWER_PIXELS) * share
        chosen = ((kind >= low) & (kind < high)).nonzero().squeeze(1)
        small = F.interpolate(frames[chosen].flatten(0, 1), size=(s // divisor, s // divisor), mode="area")
        frames[chosen] = F.interpolate(small, size=(s, s), mode="bicubic").clamp(0, 1).unflatten(0, (-1, t))
    return frames


def motion_blurred(picture: Tensor, velocity: Tensor, settings: SynthesisSettings, draws: Draws) -> Tensor:
    """picture (B, T, 4, S, S): colours times opacity, and opacity; velocity (B, T, 2, S, S): of what is seen, in parts
    of the picture a frame, times opacity -> pictures, of some clips as with a shutter that is open for part of a frame.

    Around every pixel, the fastest motion in reach is what it is blurred by, as in McGuire et al., "A Reconstruction
    Filter for Plausible Motion Blur", 2012, without telling what lies in front.
    """
    b, t, _, s, _ = picture.shape
    open_for = draws.uniform(0.2, 0.8, b)
    chosen = draws.chance(settings.motion_blur_share, b).nonzero().squeeze(1)
    if not len(chosen):
        return picture
    some = picture[chosen].flatten(0, 1)
    moves = (
        velocity[chosen].flatten(0, 1)
        / some[:, 3:].clamp(min=1e-3)
        * open_for[chosen].repeat_interleave(t).view(-1, 1, 1, 1)
    )
    length = moves.norm(dim=1, keepdim=True)
    moves = moves * (LONGEST_BLUR / length.clamp(min=LONGEST_BLUR))
    reach = max(1, round(LONGEST_BLUR / 2 * s))
    _, fastest = F.max_pool2d(length, 2 * reach + 1, stride=1, padding=reach, return_indices=True)
    moves = moves.flatten(2).gather(2, fastest.flatten(2).expand(-1, 2, -1)).view_as(moves)
    middle = (torch.arange(s, device=picture.device) + 0.5) / s * 2 - 1
    places = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=-1)
    total = torch.zeros_like(some)
    for tap in range(BLUR_TAPS):
        along = (tap + 0.5) / BLUR_TAPS - 0.5
        at = places + 2 * along * moves.permute(0, 2, 3, 1)
        total += F.grid_sample(some, at, padding_mode="border", align_corners=False) / BLUR_TAPS
    picture = picture.clone()
    picture[chosen] = total.unflatten(0, (-1, t))
    return picture


def compressed(frames: Tensor, step: Tensor) -> Tensor:
    """frames (B, T, C, S, S), S a multiple of 8 -> the same with the cosines of every block of 8 x 8 rounded to
    multiples of step (B, 1, 1, 1, 1), the finer ones to coarser steps, as in JPEG's and the video standards' intra
    frames."""
    number = torch.arange(BLOCK, device=frames.device, dtype=frames.dtype)
    cosines = torch.cos(math.pi / BLOCK * (number + 0.5) * number[:, None]) * (2 / BLOCK) ** 0.5
    cosines[0] *= 0.5**0.5
    side = frames.shape[-1]
    blocks = frames.unflatten(-1, (side // BLOCK, BLOCK)).unflatten(-3, (side // BLOCK, BLOCK))  # (..., y, 8, x, 8)
    turned = torch.einsum("ua,...yaxb,vb->...yuxv", cosines, blocks, cosines)
    steps = step[..., None, None] * (0.3 + 0.25 * (number[:, None, None] + number))
    rounded = (turned / steps).round() * steps
    return torch.einsum("ua,...yuxv,vb->...yaxb", cosines, rounded, cosines).reshape(frames.shape)


def estimated_masks(alpha: Tensor, shade: Tensor | None, settings: SynthesisSettings, draws: Draws) -> Tensor:
    """alpha, shade of the floor (B, T, 1, S, S) -> masks with the errors of an estimate: borders in or out, wobbling,
    holes, crumbs, and shadows taken for a part of the object."""
    b, t, _, s, _ = alpha.shape
    one = (b, 1, 1, 1, 1)
    wrong = draws.chance(settings.mask_error_share, *one)
    border = draws.uniform(-0.3, 0.3, *one)
    wobble = 0.25 * _upsampled(draws.normal(b * t, 1, 12, 12), s).view(b, t, 1, s, s)
    steep = draws.uniform(1.5, 4.0, *one)
    wobble = wobble * draws.uniform(0, 1, *one)
    blobs = _upsampled(draws.normal(b * t, 1, 8, 8), s).view(b, t, 1, s, s)
    often = draws.chance(0.25, *one) & draws.chance(0.5, b, t, 1, 1, 1)
    most, near = _grown(alpha, 2), _grown(alpha, 4)
    masks = _wrong_masks(alpha, most, -_grown(-alpha, 2), near, wrong, border + wobble, steep, blobs, often)
    if shade is None:
        return masks
    reach = _grown(alpha, round(s * draws.uniform(0.01, 0.08, 1).item()))
    dark = shade > draws.uniform(0.3, 0.8, *one) * shade.amax(dim=(1, 3, 4), keepdim=True).clamp(min=1e-3)
    taken = draws.chance(0.5, *one) & wrong & dark & (reach > 0.5)
    return torch.where(taken, torch.ones_like(masks), masks)


@fused
def _wrong_masks(
    alpha: Tensor,
    most: Tensor,
    least: Tensor,
    near: Tensor,
    wrong: Tensor,
    border: Tensor,
    steep: Tensor,
    blobs: Tensor,
    often: Tensor,
) -> Tensor:
    """most, least (B, T, 1, S, S): between these masks borders are uncertain; near: crumbs may lie there."""
    masks = steep * (_blurred(alpha) - 0.5 + border) + 0.5
    masks = masks.maximum(least).minimum(most)
    masks = torch.where(often & (blobs > 1.3), torch.zeros_like(masks), masks)
    masks = torch.where(often & (blobs < -1.5) & (near > 0.5), torch.ones_like(masks), masks)
    return torch.where(wrong, masks, alpha)


def _backgrounds(batch: int, side: int, draws: Draws) -> Tensor:
    """(B, 3, S, S): white or black, a colour, a gradient, or soft noise."""
    flat = draws.uniform(0, 1, batch, 3, 1, 1)
    white = draws.chance(0.4, batch, 1, 1, 1)
    flat = torch.where(white, draws.chance(0.8, batch, 1, 1, 1).float().expand_as(flat), flat)
    gradient = _upsampled(draws.uniform(0, 1, batch, 3, 2, 2), side)
    noise = _upsampled(draws.uniform(0, 1, batch, 3, 16, 16), side)
    kind = draws.uniform(0, 1, batch, 1, 1, 1)
    varied = torch.where(kind < 0.75, gradient, noise)
    return torch.where(kind < 0.5, flat.expand_as(varied), varied)


def _blurred(pictures: Tensor) -> Tensor:
    """A 3 x 3 binomial blur of (B, T, C, S, S)."""
    for axis in (-1, -2):
        side = pictures.shape[axis]
        padded = torch.cat([pictures.narrow(axis, 0, 1), pictures, pictures.narrow(axis, side - 1, 1)], dim=axis)
        beside = padded.narrow(axis, 0, side) + padded.narrow(axis, 2, side)
        pictures = 0.5 * pictures + 0.25 * beside
    return pictures


def _coarse_colours(frames: Tensor) -> Tensor:
    """Colour at half the resolution of brightness, as nearly all video has it."""
    grey = frames.mean(dim=2, keepdim=True)
    colour = (frames - grey).flatten(0, 1)
    coarse = F.interpolate(F.avg_pool2d(colour, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    return grey + coarse.view_as(frames)


def _grown(alpha: Tensor, pixels: int) -> Tensor:
    flat = alpha.flatten(0, 1)
    flat = F.max_pool2d(flat, (2 * pixels + 1, 1), stride=1, padding=(pixels, 0))
    return F.max_pool2d(flat, (1, 2 * pixels + 1), stride=1, padding=(0, pixels)).view_as(alpha)


def _upsampled(small: Tensor, side: int) -> Tensor:
    return F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
