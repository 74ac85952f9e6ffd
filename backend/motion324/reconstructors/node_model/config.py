"""Holds the sizes of the node model: everything needed to build it again from its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.json_text import read_json

HIDDEN_BEHIND = 0.02  # a point this much farther than what is seen at its pixel is hidden; normalised space
FARTHEST_BEHIND = 0.3  # what is told of nodes that are farther behind what is drawn, or where nothing is drawn
TRACK_VALUES = 5  # of a node's track in a frame: displacement, believed to be seen, believed at all


@dataclass(frozen=True)
class NodeModelConfig:
    """The architecture's sizes. Only image_size, nodes and frames may differ between training and use.

    image_size: side of the square frames, in pixels; a multiple of 16.
    nodes: points of the surface whose rigid motions are predicted.
    frames: frames of a training clip, the reference frame included.
    width, head_width, mlp_width: of the tokens, of one attention head, of the MLP's hidden layer.
    rounds: how often the motion is corrected.
    channels: of the frame's features at strides 2, 4, 8 and 16.
    match_width: of the features that are compared between the reference frame and the others.
    match_levels, match_radius: scales (strides 4, 8, 16) and half side of the neighbourhood that is compared.
    skin_width: of the learned similarity between points and nodes.
    takes_tracks: whether it can be told where the nodes are believed to be; see NodeInputs.
    first_rounds: rounds of the first answer, where the others look again at that answer, drawn; 0: none looks again.
    """

    image_size: int = 128
    nodes: int = 96
    frames: int = 12
    width: int = 384
    head_width: int = 64
    mlp_width: int = 960
    rounds: int = 6
    channels: tuple[int, int, int, int] = (48, 96, 160, 192)
    match_width: int = 96
    match_levels: int = 3
    match_radius: int = 3
    skin_width: int = 48
    takes_tracks: bool = False
    first_rounds: int = 0

    @property
    def looks_again(self) -> bool:
        return self.first_rounds > 0

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NodeModelConfig:
        """Raises Motion324Error("weights-broken") where the text describes another kind of model."""
        try:
            values = read_json(text)
            return cls(**{**values, "channels": tuple(values["channels"])})
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise Motion324Error(
                "weights-broken",
                "The compact model's weights hold a description that this version does not understand.",
                "Use the weights that came with this version, or train them again.",
                EXIT_BACKEND,
            ) from error
