"""Says what synthetic clips are like: every share and range in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SynthesisSettings:
    """Shares are the parts of all clips that have the thing; ranges are drawn from evenly unless they say otherwise.

    frames, image_size, points, nodes: of the batches. oversampling: the renderer's pixels per pixel and axis.
    speed: poses of a clip per frame (there are 24 a second), drawn evenly in the logarithm.
    still_share: clips with almost no motion. gap_share: windows that do not follow the reference frame at once.
    blend_share: two clips mixed. weaker_share: motion towards the reference pose reduced.
    joint_share: random joint turns, by up to joint_angle degrees. part_scale_share: parts larger or smaller.
    wave_share: smooth waves through space and time. travel_share: turning and moving as a whole.
    shape_share: axis scales and smooth static warps. original_colour_share: colours as in the file.
    texture_share: procedural textures. no_colour_share: the mesh comes without colours.
    flat_share: faces shaded flat. edges_share: sharp edges between faces that are otherwise shaded smooth.
    image_share: such textures that are blotched as photographs are. shadow_share: uneven light and shadows that stay
    where they are while the object moves. compressed_share: pictures as a video at a low rate has them.
    drawn: whether batches hold what is needed to draw their meshes. other_pose_share: clips whose reference mesh has
    another pose than the video begins with. drawn_reference_share: of the others, those whose frame 0 is the mesh,
    drawn. tracks_share: clips whose nodes' places across the view are given, with the errors of a fit.
    view_error_share, mask_error_share, degraded_share: errors of the estimated view and masks; poor pictures.
    view_degrees, view_shift, view_scale: standard deviations of the view's errors. gross_view_share: wrong views that
    are three times as wrong.
    """

    frames: int = 12
    image_size: int = 128
    points: int = 1024
    nodes: int = 96
    oversampling: int = 2
    speed: tuple[float, float] = (0.5, 6.0)
    still_share: float = 0.12
    gap_share: float = 0.5
    longest_gap: int = 24
    blend_share: float = 0.3
    weaker_share: float = 0.25
    joint_share: float = 0.5
    joint_angle: float = 55.0
    part_scale_share: float = 0.25
    wave_share: float = 0.2
    travel_share: float = 0.35
    shape_share: float = 0.6
    original_colour_share: float = 0.4
    texture_share: float = 0.5
    no_colour_share: float = 0.05
    flat_share: float = 0.25
    edges_share: float = 0.4
    image_share: float = 0.5
    shadow_share: float = 0.4
    compressed_share: float = 0.35
    drawn: bool = False
    other_pose_share: float = 0.0
    drawn_reference_share: float = 0.0
    tracks_share: float = 0.0
    view_error_share: float = 0.7
    gross_view_share: float = 0.15
    view_degrees: float = 1.0
    view_shift: float = 0.005
    view_scale: float = 0.015
    mask_error_share: float = 0.7
    degraded_share: float = 0.7


def validation_settings(training: SynthesisSettings) -> SynthesisSettings:
    """Clips as the models' authors made them, seen with the errors of real use."""
    return replace(
        training,
        speed=(1.5, 2.5),
        still_share=0.0,
        gap_share=0.0,
        blend_share=0.0,
        weaker_share=0.0,
        joint_share=0.0,
        part_scale_share=0.0,
        wave_share=0.0,
        travel_share=0.0,
        shape_share=0.0,
        original_colour_share=1.0,
        texture_share=0.4,
        no_colour_share=0.0,
        other_pose_share=0.0,
        drawn_reference_share=0.0,
        gross_view_share=0.0,
    )
