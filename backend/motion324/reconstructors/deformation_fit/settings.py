"""The weights of the fit, tuned on clips with ground truth; lengths are in normalised space (longest side 1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitSettings:
    picture: int = 320  # pixels of the working images' longer side
    nodes: int = 96  # of the deformation graph
    points: int = 3000  # surface points that see the image
    rigidity: float = 1.0  # of the graph's edges against the data, whose weights sum to about 1
    rigidity_knee: float = 0.02  # edges bent by more than this give way, as joints do
    flow: float = 0.5  # frame-to-frame flow
    model_flow: float = 2.0  # flow from the rendered model to the frame
    flow_tolerance: float = 0.16
    flow_trust: float = 1.5  # pixels that flow may miss on its way there and back
    flow_finest: int = 1  # finest level of the flow's pyramid: 0 is every pixel
    silhouette: float = 0.5  # points outside the mask
    cover: float = 2.0  # mask pixels that the model leaves bare
    silhouette_tolerance: float = 0.4
    depth: float = 0.03  # against motion along the viewing axis between frames
    depth_rest: float = 0.05  # against being moved along it at all
    depth_reach: float = 0.03  # points moved across the view by more than this are freer along it
    depth_predicted: float = 0.2  # for motion along it as a prediction has it, in place of both above
    predicted: float = 0.15  # for being where a prediction has a point, in every direction
    hold: float = 0.02  # against moving between frames
    anneal: float = 2.0  # tolerances of a round over those of the next
    rounds: int = 5  # of rendering and flow per frame
    steps: int = 3  # Gauss-Newton steps per round
    joint_rounds: int = 1
    joint_steps: int = 2
    joint_smooth: float = 0.003  # acceleration of the nodes


STANDARD = FitSettings()
DRAFT = FitSettings(picture=240, rounds=3, steps=2)
FINE = FitSettings(picture=448, joint_rounds=2)


def settings_for(quality: str) -> FitSettings:
    """quality: one of motion324.core.options.QUALITIES; what each gains and costs is in benchmarks/results.md."""
    return {"draft": DRAFT, "standard": STANDARD, "fine": FINE}[quality]
