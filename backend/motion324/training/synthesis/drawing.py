"""Draws the meshes of a batch in any pose, as the product draws them: in their own colours, lit from the camera, on
black.

This is what the node model compares with the frames. What the video's light and renderer make of the same colours is
not known here, nor in use. Letters: B clips, T frames, K nodes, S the side, V vertices and F faces of all clips
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.node_model.config import FARTHEST_BEHIND
from motion324.reconstructors.node_model.drawn_look import Drawings
from motion324.reconstructors.node_model.geometry import project
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs, NodeMotions
from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.shared.settings import SynthesisSettings
from motion324.training.synthesis.appearance import Appearance
from motion324.training.synthesis.geometry import face_crosses, mixed
from motion324.training.synthesis.rasteriser import perspective_weights, rasterise
from motion324.training.synthesis.rig_bank import Draws, ModelBatch
from motion324.view.rasteriser import AMBIENT

COLOURLESS = 0.6  # the grey of a mesh without colours
TONE_ERROR = 0.08  # standard deviation of the logarithm of how much brighter or more red a mesh's colours are


@dataclass(frozen=True)
class Drawable:
    """points (V, 9): the vertices as NodeInputs has points, at the reference. rest (V, 3): for textures. faces (F, 3),
    vertex_clip (V,), face_clip (F,), clip_vertices (B, most): see ModelBatch. tone (B, 3): factors of the colours.
    grey (B,): clips whose mesh has no colours."""

    points: Tensor
    rest: Tensor
    faces: Tensor
    vertex_clip: Tensor
    face_clip: Tensor
    clip_vertices: Tensor
    appearance: Appearance
    tone: Tensor
    grey: Tensor


def as_drawable(
    vertices: Tensor,
    normals: Tensor,
    models: ModelBatch,
    appearance: Appearance,
    grey: Tensor,
    settings: SynthesisSettings,
    draws: Draws,
) -> Drawable:
    """vertices, normals (V, 3): at the reference, in the inputs' coordinates. grey (B,)."""
    clips = len(grey)
    colours = appearance.coloured(appearance.vertex_colours, models.rest, models.vertex_clip)
    colours = torch.where(grey[models.vertex_clip, None], torch.full_like(colours, COLOURLESS), colours)
    wrong = draws.chance(settings.degraded_share, clips, 1)
    tone = (TONE_ERROR * (draws.normal(clips, 1) + 0.5 * draws.normal(clips, 3)) * wrong).exp()
    return Drawable(
        points=torch.cat([vertices, normals, colours], dim=-1),
        rest=models.rest,
        faces=models.faces,
        vertex_clip=models.vertex_clip,
        face_clip=models.face_clip,
        clip_vertices=models.clip_vertices,
        appearance=appearance,
        tone=tone,
        grey=grey,
    )


def draw_motions(model: NodeModel, inputs: NodeInputs, drawable: Drawable, found: NodeMotions) -> Drawings:
    """The answer `found` to `inputs`, drawn. Nothing of it is differentiated."""
    with torch.no_grad():
        nodes = inputs.nodes[..., :3]
        found = NodeMotions(found.state.float(), found.codes.float())
        vertices = moved_vertices(model, nodes, drawable, found)
        pictures, depth = draw(vertices, drawable, inputs, inputs.frames.shape[-1], oversampling=1)
        there = nodes[:, None] + found.state[..., :3] + inputs.translation[:, None, None]
        return Drawings(pictures, behind(there, inputs.camera, depth))


def moved_vertices(model: NodeModel, nodes: Tensor, drawable: Drawable, found: NodeMotions) -> Tensor:
    """nodes (B, K, 3) -> (V, T, 3): the vertices after the nodes' motions, in the inputs' coordinates."""
    points = drawable.points[drawable.clip_vertices]  # (B, most, 9)
    moved = model.moved_points(points[..., :3], model.point_codes(points), nodes, found)
    clip = drawable.vertex_clip
    row = torch.arange(len(clip), device=clip.device) - drawable.clip_vertices[clip, 0]
    return moved.transpose(1, 2)[clip, row]


def draw(
    vertices: Tensor, drawable: Drawable, inputs: NodeInputs, side: int, oversampling: int
) -> tuple[Tensor, Tensor]:
    """vertices (V, T, 3): in the inputs' coordinates -> pictures (B, T, 4, S, S) as Drawings has them, and depths
    (B, T, S', S') before they are made smaller, infinite where nothing is."""
    batch, frames = len(drawable.clip_vertices), vertices.shape[1]
    fine = side * oversampling
    clip = drawable.vertex_clip
    places = vertices + inputs.translation[clip, None]
    focal, centre = inputs.camera[clip, None, :1], inputs.camera[clip, None, 1:]
    pixels = (focal * places[..., :2] / places[..., 2:].clamp(min=1e-2) + centre) * fine
    corners = pixels[drawable.faces].permute(2, 0, 1, 3).flatten(0, 1)  # (T * F, 3, 2)
    depths = places[..., 2][drawable.faces].permute(2, 0, 1).flatten(0, 1)
    count = len(drawable.faces)
    step = torch.arange(frames, device=depths.device)[:, None]
    fragments = rasterise(corners, depths, (drawable.face_clip[None] * frames + step).flatten(), batch * frames, fine)
    weights = perspective_weights(corners, depths, fragments.pixel, fragments.triangle, fine)
    face = fragments.triangle % count
    corner, face_clip = drawable.faces[face], drawable.face_clip[face]
    base = mixed(drawable.appearance.vertex_colours[corner], weights)
    colours = drawable.appearance.coloured(base, mixed(drawable.rest[corner], weights), face_clip)
    colours = torch.where(drawable.grey[face_clip, None], torch.full_like(colours, COLOURLESS), colours)
    facing = F.normalize(face_crosses(vertices, drawable.faces), dim=-1)[..., 2].abs()  # (F, T)
    light = AMBIENT + (1 - AMBIENT) * facing[face, fragments.triangle // count]
    shaded = (colours * drawable.tone[face_clip] * light[:, None]).clamp(0, 1)
    picture = torch.zeros(batch * frames * fine * fine, 4, device=shaded.device)
    picture[fragments.pixel] = torch.cat([shaded, torch.ones_like(shaded[:, :1])], dim=-1)
    picture = picture.view(batch * frames, fine, fine, 4).permute(0, 3, 1, 2)
    if oversampling > 1:
        picture = F.avg_pool2d(picture, oversampling)
    nearness = fragments.nearness.view(batch, frames, fine, fine)
    depth = torch.where(nearness > 0, 1 / nearness, torch.full_like(nearness, float("inf")))
    return picture.unflatten(0, (batch, frames)).contiguous(), depth


def behind(points: Tensor, camera: Tensor, depth: Tensor) -> Tensor:
    """points (B, T, K, 3) in camera space, depth (B, T, S', S') -> (B, T, K): Drawings.behind."""
    places = project(points, camera)
    side = depth.shape[-1]
    pixel = ((places + 1) / 2 * side).long().clamp(0, side - 1)
    at = depth.flatten(2).gather(2, pixel[..., 1] * side + pixel[..., 0])
    inside = (places.abs() < 1).all(dim=-1) & at.isfinite()
    far = (points[..., 2] - torch.where(inside, at, torch.zeros_like(at))).clamp(0, FARTHEST_BEHIND)
    return torch.where(inside, far, torch.full_like(far, FARTHEST_BEHIND))
