"""Is the node model: a reference mesh and frames go in, the motion of points of its surface comes out.

It starts from the still mesh and corrects the motion of a few nodes in rounds: each looks at the frame where the nodes
are believed to be, lets the nodes talk, and moves them. Points of the surface follow the nodes softly. A model that
looks again is then shown its answer, drawn, and corrects it in the last rounds, as often as one likes.
Letters: B clips, T frames (frame 0 shows the reference mesh), K nodes, P points, S the frame's side, d width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.reconstructors.node_model.blocks import FrameEncoder, RoundBlock, time_turns
from motion324.reconstructors.node_model.config import TRACK_VALUES, NodeModelConfig
from motion324.reconstructors.node_model.drawn_look import Compared, Drawings, DrawnLook
from motion324.reconstructors.node_model.geometry import (
    fourier_codes,
    look_around,
    project,
    ray_axes,
    rotation_from_6d,
    sample_at,
    similarity_pyramid,
    skin,
    turn,
)
from motion324.reconstructors.node_model.inputs_and_answers import (
    Answer,
    LookOutputs,
    NodeInputs,
    NodeMotions,
    NodeOutputs,
    Question,
    SeenFrames,
)

PLACE_OCTAVES = 5
NODE_VALUES = 10  # position, normal, colour, visible at the reference frame
POINT_VALUES = 9  # position, normal, colour
STATE_VALUES = 3 + 6 + 2 + 2  # displacement, rotation, projection and how far that has moved
PLACE_CODES = 2 * (1 + 2 * PLACE_OCTAVES)
POSITION_CODES = 3 * (1 + 2 * PLACE_OCTAVES)
TYPICAL_MOTION = 0.1  # the scale of a head's output: a tenth of the mesh's longest side
NODE_SPACING = 0.07  # the distance over which a node's influence falls, at the start of training


Draw = Callable[[NodeMotions], Drawings]


class NodeModel(nn.Module):
    def __init__(self, config: NodeModelConfig) -> None:
        super().__init__()
        self.config = config
        width, match, fine = config.width, config.match_width, config.channels[2]
        looked = config.match_levels * (2 * config.match_radius + 1) ** 2
        self.encoder = FrameEncoder(config)
        self.patch_in = nn.Linear(config.channels[3] + PLACE_CODES, width)
        self.patch_norm = nn.LayerNorm(width)
        static = POSITION_CODES + NODE_VALUES - 3 + match + fine + PLACE_CODES + 4
        self.node_in = nn.Sequential(nn.Linear(static, width), nn.GELU(), nn.Linear(width, width))
        self.reference_token = nn.Parameter(torch.zeros(width))
        if config.takes_tracks:
            self.track_in = nn.Linear(TRACK_VALUES, width, bias=False)
            nn.init.zeros_(self.track_in.weight)
        seen = fine + match + looked + PLACE_CODES + STATE_VALUES
        self.rounds = nn.ModuleList(RoundBlock(config, seen) for _ in range(config.rounds))
        if config.looks_again:
            self.drawn_look = DrawnLook(config)
        self.point_in = nn.Sequential(
            nn.Linear(POSITION_CODES + POINT_VALUES - 3, 2 * config.skin_width),
            nn.GELU(),
            nn.Linear(2 * config.skin_width, config.skin_width),
        )
        self.node_out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.skin_width))
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(0.5 / NODE_SPACING**2)))

    def forward(
        self, inputs: NodeInputs, seen_frames: SeenFrames | None = None, draw: Draw | None = None, looks: int = 0
    ) -> NodeOutputs:
        """seen_frames: of the same inputs, where `see` has made them already. draw: draws an answer, for `looks` looks
        of a model that looks again; without looks, all rounds follow each other as if none did."""
        question = self.ask(inputs, seen_frames)
        answer = first = self.first_answer(question)
        rounds, found = list(first.rounds), []
        if self.config.looks_again and draw is None:
            rounds += self.rest_of_rounds(question, first).rounds
        for look in range(looks):
            if draw is None:
                break
            drawings = draw(answer.rounds[-1])
            drawn_places = self._places(answer.rounds[-1].state.detach(), inputs)
            with torch.set_grad_enabled(torch.is_grad_enabled() and look == looks - 1):  # the last one teaches enough
                drawn = self.see(drawings.pictures)
            answer, similarities = self.look_again(question, first, answer, drawn, drawings.behind)
            rounds += answer.rounds
            places = inputs.nodes[:, None, :, :3] + answer.rounds[-1].state[..., :3]
            doubt = self.drawn_look.doubt(answer.tokens)
            found.append(LookOutputs(similarities, drawn_places, drawings.behind, places, doubt))
        point_codes = self.point_codes(inputs.points)
        nodes = inputs.nodes[..., :3]
        positions = [self.moved_points(inputs.points[..., :3], point_codes, nodes, motions) for motions in rounds]
        return NodeOutputs(positions, question.pyramid[0], found)

    def motions(self, inputs: NodeInputs, seen_frames: SeenFrames | None = None) -> tuple[list[NodeMotions], Tensor]:
        """The nodes' motions after every round, without a look at drawings, and NodeOutputs.similarities; does not look
        at the points."""
        question = self.ask(inputs, seen_frames)
        first = self.first_answer(question)
        rounds = first.rounds + (self.rest_of_rounds(question, first).rounds if self.config.looks_again else [])
        return rounds, question.pyramid[0]

    def ask(self, inputs: NodeInputs, seen_frames: SeenFrames | None = None) -> Question:
        t, k = inputs.times.shape[1], inputs.nodes.shape[1]
        frames = seen_frames or self.see(inputs.frames)
        there = inputs.nodes[..., :3] + inputs.translation[:, None]
        home = project(there, inputs.camera)  # (B, K, 2)
        reference = sample_at(frames.match_maps[:, 0], home)
        return Question(
            inputs=inputs,
            frames=frames,
            home=home,
            pyramid=similarity_pyramid(
                frames.match_maps, reference.to(frames.match_maps.dtype), self.config.match_levels
            ),
            turns=time_turns(inputs.times, k, self.config.head_width),
            axes=ray_axes(there),
            is_reference=torch.arange(t, device=home.device)[None, :, None, None] == 0,
        )

    def first_answer(self, question: Question) -> Answer:
        """Of all rounds, or of the first ones of a model that looks again."""
        inputs, frames, home = question.inputs, question.frames, question.home
        b, t = inputs.times.shape
        reference, fine = sample_at(frames.match_maps[:, 0], home), sample_at(frames.fine_maps[:, 0], home)
        tokens = self._static_tokens(inputs, home, reference, fine)[:, None].repeat(1, t, 1, 1)
        own = torch.where(question.is_reference, self.reference_token, torch.zeros_like(self.reference_token))
        tokens = tokens + own
        state = inputs.nodes.new_zeros(b, t, inputs.nodes.shape[1], 9)
        if self.config.takes_tracks and inputs.tracks is not None:
            state = torch.cat([inputs.tracks[..., :3], state[..., 3:]], dim=-1)
            scaled = torch.cat([inputs.tracks[..., :3] / TYPICAL_MOTION, inputs.tracks[..., 3:]], dim=-1)
            tokens = tokens + self.track_in(scaled)
        count = self.config.first_rounds or self.config.rounds
        return self._corrected(question, range(count), state, tokens, frames.patches, None)

    def rest_of_rounds(self, question: Question, first: Answer) -> Answer:
        """What the last rounds make of the first answer without a drawing, as those of a model that never looks
        again."""
        count, state = self.config.first_rounds, first.rounds[-1].state
        return self._corrected(
            question, range(count, self.config.rounds), state, first.tokens, question.frames.patches, None
        )

    def look_again(
        self, question: Question, first: Answer, before: Answer, drawn: SeenFrames, behind: Tensor
    ) -> tuple[Answer, Tensor]:
        """before: the answer that was drawn, the first one or that of the look before. drawn, behind: what the drawings
        look like, and see Drawings. Also returns LookOutputs.similarities."""
        inputs, frames, state = question.inputs, question.frames, before.rounds[-1].state.detach()
        compared = self.drawn_look.compare(
            (drawn.match_maps, drawn.fine_maps, drawn.patches),
            (frames.match_maps, frames.fine_maps, frames.patches),
            self._places(state, inputs),
            behind,
        )
        tokens = first.tokens + self.drawn_look.remembered(before.tokens)
        rounds = range(self.config.first_rounds, self.config.rounds)
        return self._corrected(question, rounds, state, tokens, compared.patches, compared), compared.pyramid[0]

    def _corrected(
        self,
        question: Question,
        rounds: range,
        state: Tensor,
        tokens: Tensor,
        patches: Tensor,
        compared: Compared | None,
    ) -> Answer:
        """The given rounds, from a state (B, T, K, 9) and tokens (B, T, K, d) on."""
        found = []
        for number in rounds:
            state = state.detach()
            places, pulls = self._places(state, question.inputs), None
            if compared is not None:
                added, pulls = self.drawn_look.seen(compared, places)
                tokens = tokens + added
            tokens, correction = self.rounds[number](
                tokens, self._look(state, places, question), patches, question.turns
            )
            codes = self.node_out(tokens.mean(dim=1))
            with torch.autocast(state.device.type, enabled=False):  # coordinates stay in single precision
                correction = correction.float()
                if pulls is not None:
                    pulled = self.drawn_look.pulled(tokens.float(), pulls)
                    correction = torch.cat(
                        [correction[..., :2] + self._across(pulled, state, question.inputs), correction[..., 2:]],
                        dim=-1,
                    )
                moved = turn(question.axes[:, None], correction[..., :3])
                step = TYPICAL_MOTION * torch.cat([moved, correction[..., 3:]], dim=-1)
                state = torch.where(question.is_reference, torch.zeros_like(state), state + step)
            found.append(NodeMotions(state, codes))
        return Answer(found, tokens)

    def point_codes(self, points: Tensor) -> Tensor:
        """points (B, P, 9), as in NodeInputs -> (B, P, skin_width), to be compared with NodeMotions.codes."""
        codes: Tensor = self.point_in(_codes(points))
        return codes

    def moved_points(self, points: Tensor, point_codes: Tensor, nodes: Tensor, found: NodeMotions) -> Tensor:
        """points (B, P, 3), nodes (B, K, 3): at the reference frame -> (B, T, P, 3)."""
        similar = point_codes @ found.codes.transpose(1, 2)
        with torch.autocast(points.device.type, enabled=False):
            weights = self._weights(similar.float(), _squared_distances(points, nodes))
            return skin(points, nodes, weights, found.state[..., :3], rotation_from_6d(found.state[..., 3:]))

    def see(self, frames: Tensor) -> SeenFrames:
        """frames (B, T, 4, S, S), as in NodeInputs."""
        b, t = frames.shape[:2]
        match_map, fine_map, coarse = self.encoder(frames.flatten(0, 1))
        side = coarse.shape[-1]
        steps = (torch.arange(side, device=frames.device, dtype=torch.float32) + 0.5) * (2.0 / side) - 1
        places = torch.stack([steps.view(1, side).expand(side, side), steps.view(side, 1).expand(side, side)], dim=-1)
        codes = fourier_codes(places.reshape(side * side, 2), PLACE_OCTAVES)
        content = coarse.flatten(2).transpose(1, 2)
        codes = codes.to(content.dtype)[None].expand(b * t, -1, -1)
        patches = self.patch_norm(self.patch_in(torch.cat([content, codes], dim=-1)))
        return SeenFrames(match_map.unflatten(0, (b, t)), fine_map.unflatten(0, (b, t)), patches)

    def _static_tokens(self, inputs: NodeInputs, home: Tensor, match: Tensor, fine: Tensor) -> Tensor:
        """(B, K, d): what a node is, from the mesh and the reference frame."""
        view = torch.cat([inputs.translation, inputs.camera[:, :1].log()], dim=-1)
        view = view[:, None].expand(-1, inputs.nodes.shape[1], -1)
        parts = [_codes(inputs.nodes), fourier_codes(home, PLACE_OCTAVES), view, match, fine]
        result: Tensor = self.node_in(torch.cat(parts, dim=-1))
        return result

    def _places(self, state: Tensor, inputs: NodeInputs) -> Tensor:
        """(B, T, K, 2): where in the frames the nodes of this state are, -1..1."""
        believed = inputs.nodes[:, None, :, :3] + state[..., :3] + inputs.translation[:, None, None]
        return project(believed, inputs.camera)

    def _across(self, moved: Tensor, state: Tensor, inputs: NodeInputs) -> Tensor:
        """moved (B, T, K, 2): in the frames, -1..1 -> the moves across the view that are seen so, of nodes in this
        state, in units of TYPICAL_MOTION."""
        depth = inputs.nodes[:, None, :, 2:3] + state[..., 2:3] + inputs.translation[:, None, None, 2:]
        return moved * depth / (2 * TYPICAL_MOTION * inputs.camera[:, None, None, :1])

    def _look(self, state: Tensor, places: Tensor, question: Question) -> Tensor:
        """(B, T, K, seen): what is seen where the nodes are believed to be, and what is believed."""
        frames = question.frames
        flat = places.flatten(0, 1)
        parts = [
            sample_at(frames.fine_maps.flatten(0, 1), flat).unflatten(0, places.shape[:2]),
            sample_at(frames.match_maps.flatten(0, 1), flat).unflatten(0, places.shape[:2]),
            look_around(question.pyramid, places, self.config.match_radius),
            fourier_codes(places, PLACE_OCTAVES),
            state / TYPICAL_MOTION,
            places,
            (places - question.home[:, None]) / TYPICAL_MOTION,
        ]
        return torch.cat(parts, dim=-1)

    def _weights(self, similar: Tensor, distances: Tensor) -> Tensor:
        """similar, distances (B, P, K) -> (B, P, K) float32: how much each point follows each node."""
        return F.softmax(similar * self.config.skin_width**-0.5 - self.log_sharpness.exp() * distances, dim=-1)


def _codes(values: Tensor) -> Tensor:
    return torch.cat([fourier_codes(values[..., :3], PLACE_OCTAVES), values[..., 3:]], dim=-1)


def _squared_distances(points: Tensor, nodes: Tensor) -> Tensor:
    """(B, P, 3), (B, K, 3) -> (B, P, K)."""
    return ((points[:, :, None] - nodes[:, None]) ** 2).sum(dim=-1)
