"""Holds what the node model is given, what it keeps meanwhile, and what it answers, as plain data.

Letters: B clips, T frames (frame 0 shows the reference mesh), K nodes, P points, S the frame's side, d width.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class NodeInputs:
    """What the model is given. Geometry in object coordinates: see geometry.py.

    frames (B, T, 4, S, S): cut-outs on black and masks, 0..1. times (B, T): in frames, of the video.
    camera (B, 3): focal length and principal point in units of the frame's side. translation (B, 3): camera space.
    nodes (B, K, 10): position, normal, sRGB colour, 1 where visible in frame 0. points (B, P, 9): as nodes, without
    the last. tracks (B, T, K, 5): how far the nodes are believed to have moved, 1 where they are believed to be seen,
    1 where this is believed at all, else all 0; None: of no clip. Unused by a model whose config takes no tracks.
    """

    frames: Tensor
    times: Tensor
    camera: Tensor
    translation: Tensor
    nodes: Tensor
    points: Tensor
    tracks: Tensor | None = None


@dataclass(frozen=True)
class NodeOutputs:
    """positions: per round (B, T, P, 3) in object coordinates. similarities: (B * T * K, 1, S / 4, S / 4).

    looks: what each look at a drawing has found; empty where there was none.
    """

    positions: list[Tensor]
    similarities: Tensor
    looks: list[LookOutputs]


@dataclass(frozen=True)
class LookOutputs:
    """similarities: of the drawn nodes, as NodeOutputs has them. drawn_places (B, T, K, 2): where they were drawn,
    -1..1. behind (B, T, K): see Drawings. places (B, T, K, 3):
    of the nodes afterwards, object coordinates. doubt (B, T, K, 2): see DrawnLook.doubt."""

    similarities: Tensor
    drawn_places: Tensor
    behind: Tensor
    places: Tensor
    doubt: Tensor


@dataclass(frozen=True)
class NodeMotions:
    """Where the nodes have gone. state (B, T, K, 9): displacement, and rotation as rotation_from_6d has it.

    codes (B, K, skin_width): what tells which points follow a node.
    """

    state: Tensor
    codes: Tensor


@dataclass(frozen=True)
class SeenFrames:
    """What the frames look like to the model: maps at strides 4 and 8 (B, T, c, h, w), and patches (B * T, M, d)."""

    match_maps: Tensor
    fine_maps: Tensor
    patches: Tensor


@dataclass(frozen=True)
class Question:
    """What all rounds look at. home (B, K, 2): the nodes' places in the reference frame. pyramid: similarities to them.
    turns: see time_turns. axes (B, K, 3, 3): see ray_axes. is_reference (1, T, 1, 1)."""

    inputs: NodeInputs
    frames: SeenFrames
    home: Tensor
    pyramid: list[Tensor]
    turns: tuple[Tensor, Tensor]
    axes: Tensor
    is_reference: Tensor


@dataclass(frozen=True)
class Answer:
    """rounds: the nodes' motions after each of the rounds that it took. tokens (B, T, K, d): left by the last one."""

    rounds: list[NodeMotions]
    tokens: Tensor
