"""Says what synthetic clips are like: every share and range in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from motion324.training.shared.config_keys import key


@dataclass(frozen=True)
class SynthesisSettings:
    """Shares are the parts of all clips that have the thing; ranges are drawn from evenly unless they say otherwise."""

    frames: int = key(12, "of a clip, with the reference frame")
    image_size: int = key(128, "side of the frames in pixels")
    points: int = key(1024, "that are compared")
    nodes: int = key(96, "on the surface")
    oversampling: int = key(2, "the renderer's pixels per pixel and axis")
    speed: tuple[float, float] = key((0.5, 6.0), "poses of a clip per frame, of 24 a second; even in the logarithm")
    still_share: float = key(0.12, "clips with almost no motion")
    tiny_share: float = key(0.0, "clips that hardly move: 0.1 to 1 % of the size, or, of one in six, not at all")
    gap_share: float = key(0.5, "windows that do not follow the reference frame at once")
    longest_gap: int = key(24, "these leave out fewer frames than so many")
    blend_share: float = key(0.3, "two clips mixed")
    weaker_share: float = key(0.25, "motion towards the reference pose reduced")
    limb_share: float = key(0.3, "limbs that move as in another clip of the body, or at another time of the same one")
    proportions_share: float = key(
        0.0, "bodies whose parts are longer or shorter, and thicker or thinner, than in the file"
    )
    carried_share: float = key(0.0, "bodies that move as another one does")
    joint_share: float = key(0.5, "random turns of joints")
    joint_angle: float = key(55.0, "degrees of these at most")
    part_scale_share: float = key(0.4, "parts larger or smaller")
    wave_share: float = key(0.2, "smooth waves through space and time")
    travel_share: float = key(0.35, "turning and moving as a whole")
    shape_share: float = key(0.6, "axis scales and smooth static warps")
    original_colour_share: float = key(0.4, "colours as in the file")
    exchanged_share: float = key(0.0, "bodies in the colours of another one")
    texture_share: float = key(0.5, "procedural textures")
    no_colour_share: float = key(0.05, "the mesh comes without colours")
    flat_share: float = key(0.25, "faces shaded flat")
    edges_share: float = key(0.4, "sharp edges between faces that are otherwise shaded smooth")
    image_share: float = key(0.5, "such textures that are blotched as photographs are")
    pattern_share: float = key(0.25, "checks, spots or patches all over")
    lamp_share: float = key(0.4, "coloured light, also too bright")
    around_share: float = key(
        0.0, "other light from every side, and at grazing angles, as rooms and landscapes give it"
    )
    graded_share: float = key(0.0, "pictures of other contrast and colours, which drift, and lit by their background")
    cast_shadow_share: float = key(0.35, "shadows that the object casts onto itself")
    floor_share: float = key(0.15, "on a floor with a shadow, of which half the masks take a part for the object")
    motion_blur_share: float = key(0.15, "blurred by what moves while the shutter is open")
    small_share: float = key(0.15, "objects of few pixels in their video")
    shadow_share: float = key(0.4, "uneven light and shadows that stay where they are while the object moves")
    compressed_share: float = key(0.35, "pictures as a video at a low rate has them")
    drawn: bool = key(False, "batches hold what is needed to draw their meshes")
    other_pose_share: float = key(0.0, "the reference mesh has another pose than the video begins with")
    drawn_reference_share: float = key(0.0, "of the other clips, those whose frame 0 is the mesh, drawn")
    tracks_share: float = key(0.0, "the nodes' places across the view are given, with the errors of a fit")
    view_error_share: float = key(0.7, "errors of the estimated view")
    gross_view_share: float = key(0.15, "such views that are three times as wrong")
    view_degrees: float = key(1.0, "standard deviation of the view's direction")
    view_shift: float = key(0.005, "standard deviation of its place, in parts of the picture")
    view_scale: float = key(0.015, "standard deviation of its scale")
    mask_error_share: float = key(0.7, "errors of the masks")
    degraded_share: float = key(0.7, "poor pictures")


def validation_settings(training: SynthesisSettings) -> SynthesisSettings:
    """Clips as the models' authors made them, seen with the errors of real use."""
    return replace(
        training,
        speed=(1.5, 2.5),
        still_share=0.0,
        tiny_share=0.0,
        gap_share=0.0,
        blend_share=0.0,
        weaker_share=0.0,
        limb_share=0.0,
        proportions_share=0.0,
        carried_share=0.0,
        joint_share=0.0,
        part_scale_share=0.0,
        wave_share=0.0,
        travel_share=0.0,
        shape_share=0.0,
        original_colour_share=1.0,
        exchanged_share=0.0,
        texture_share=0.4,
        no_colour_share=0.0,
        other_pose_share=0.0,
        drawn_reference_share=0.0,
        gross_view_share=0.0,
        pattern_share=0.0,
        lamp_share=0.0,
        around_share=0.0,
        graded_share=0.0,
        cast_shadow_share=0.0,
        floor_share=0.0,
        motion_blur_share=0.0,
        small_share=0.0,
    )
