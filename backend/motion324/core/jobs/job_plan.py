"""What an animation has to do, stage by stage, and how many seconds each may take on a common machine.

The seconds are those of two idle cores of a Xeon, by the processor's seconds of each stage on 2026-11-30, of which a
job as a whole took 1.3 a second. They need to be right among each other only: job_pace corrects all of them by what has
passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from motion324.core.options.animate_options import COMPACT, FIT, TRANSFORMER, AnimateOptions, names_mask_files
from motion324.core.progress import STAGES

# Seconds per frame and million pixels: 24 and 144 frames of 512 x 512; on white.
READ = 0.03
PLAIN = 0.12
# rembg: of the network, and of fitting its answer to the picture: between what two idle cores take and the processor's
# seconds that are left for it beside other programs, since it keeps all cores busy.
NETWORK_PER_FRAME, NETWORK_PER_MEGAPIXEL = 0.19, 0.13
# Frames: of longer videos a CPU's network looks at every second one, and flow tells what lies between.
LOOKED_AT_EACH, NETWORK_OF_LONG = 96, 0.6
SAM_PER_FRAME = 2.0  # without a GPU; a guess, not measured
SAMPLE = 0.03
VIEW_FOUND, VIEW_GIVEN = 1.8, 0.3
VIEW_START, VIEW_SPREAD = 0.5, 0.6
LOAD, LOAD_SPREAD = 1.2, 0.7  # by whether the files are in memory already; a model that is loaded stays so
# The compact model: of a video that it sees at once, each frame is looked at before the first answer tells progress,
# and each answer takes as long per frame as the next one; of a longer one the frames of a window, which overlap.
ENCODE_START, ENCODE_PER_FRAME = 0.5, 0.11
ANSWER_PER_FRAME, ANSWER_IN_WINDOWS = 0.11, 0.21
# Frames that the compact model sees at once, one more than a video's, since the reference may stand before them: on
# held-out clips of 29 and 36 frames better than windows, and no slower; of 44, whose times it hardly knows from
# training, worse.
SEEN_AT_ONCE = 37
# The fit, by itself and after the compact model, of 7,735 vertices: per frame alone, and of all together.
PREPARE_FIT, ALONE_PER_FRAME, FOLLOWING_PER_FRAME, TOGETHER_PER_FRAME = 0.5, 0.25, 0.14, 0.065
QUALITY = {"draft": 0.52, "standard": 1.0, "fine": 1.36}
FOLLOWING = {"draft": 0.75, "standard": 1.0, "fine": 2.4}
TOGETHER = {"draft": 0.85, "standard": 1.0, "fine": 3.0}
TRANSFORMER_PER_FRAME = 2.5  # 8 frames of 7,735 vertices in 20 s
TRANSFORMER_LOAD, TRANSFORMER_WARM_UP = 3.0, 1.0  # the second is a guess
VERTICES = 7735  # of the mesh that most of this was measured with
PER_VERTEX_SHARE = 0.2  # of a fit's time, by 1,353 vertices; the rest goes into pictures and the graph's nodes
SMOOTH, WRITE = 5e-7, 2e-7  # per frame and vertex
TRUST, TRUST_PER_FRAME = 0.15, 0.0012  # how far the result can be trusted
OVERLAY = 0.21  # per frame and million pixels: 17.2 s for 159 frames of 720 x 720


@dataclass(frozen=True)
class PlannedStage:
    """name: one of STAGES. seconds: expected. start: the share of them that passes before it tells progress, which is
    over when `first` of it are done. half: the share of the rest that is over when half of its progress is told.
    spread: by which factor it may differ from the pace of the others, as a logarithm's standard deviation.
    guessed: it will go one of several ways, and the seconds are those of the slowest: only where it takes longer than
    the machine's pace makes one expect does it say something of that.
    """

    name: str
    seconds: float
    start: float = 0.0
    first: int = 1
    half: float = 0.5
    spread: float = 0.3
    guessed: bool = False


JobPlan = tuple[PlannedStage, ...]
OnPlan = Callable[[JobPlan], None]


def unplanned(plan: JobPlan) -> None:
    """An OnPlan for callers that do not care."""


def plan_of(
    options: AnimateOptions, frames: int, pixels: int, vertices: int, masks_given: bool = False, overlay: bool = False
) -> JobPlan:
    """The stages that a job of these options will go through, in their order.

    frames: that are used; pixels: of one frame; vertices: of the mesh. masks_given: they come with the frames.
    overlay: one is written.
    """
    megapixels = pixels / 1e6
    planned = [
        PlannedStage("read", READ * frames * megapixels),
        _masks(options.mask, frames, megapixels, masks_given),
        PlannedStage("sample", SAMPLE),
        _view(options.view),
        *_reconstruction(options, frames, vertices),
        PlannedStage("smooth", TRUST + frames * (TRUST_PER_FRAME + (SMOOTH * vertices if options.smooth else 0.0))),
        PlannedStage("write", frames * (WRITE * vertices + (OVERLAY * megapixels if overlay else 0.0))),
    ]
    return tuple(sorted(planned, key=lambda stage: STAGES.index(stage.name)))


def _view(view: str) -> PlannedStage:
    if view != "auto":
        return PlannedStage("view", VIEW_GIVEN, spread=VIEW_SPREAD)
    return PlannedStage("view", VIEW_FOUND, start=VIEW_START, spread=VIEW_SPREAD)


def _masks(mask: str, frames: int, megapixels: float, given: bool) -> PlannedStage:
    network = NETWORK_PER_FRAME * (NETWORK_OF_LONG if frames > LOOKED_AT_EACH else 1.0)
    by_network = network + NETWORK_PER_MEGAPIXEL * megapixels
    if given:
        return PlannedStage("foreground", 0.0)
    if mask.startswith("sam2"):
        return PlannedStage("foreground", SAM_PER_FRAME * frames, guessed=True)
    if mask == "auto" or mask.startswith("rembg"):  # auto: the network, until the video is seen to need none
        return PlannedStage("foreground", by_network * frames, guessed=mask != "rembg")
    return PlannedStage("foreground", PLAIN * megapixels * frames, guessed=names_mask_files(mask))


def _reconstruction(options: AnimateOptions, frames: int, vertices: int) -> list[PlannedStage]:
    size = frames * (1 - PER_VERTEX_SHARE + PER_VERTEX_SHARE * vertices / VERTICES)
    if options.reconstructor == TRANSFORMER:
        return [
            PlannedStage("load", TRANSFORMER_LOAD, spread=LOAD_SPREAD, guessed=True),
            PlannedStage("warm-up", TRANSFORMER_WARM_UP, guessed=True),
            PlannedStage("reconstruct", TRANSFORMER_PER_FRAME * size, guessed=True),  # a GPU is 200 times as fast
        ]
    together = TOGETHER_PER_FRAME * size * TOGETHER[options.quality]
    if options.reconstructor == FIT:
        whole = PREPARE_FIT + ALONE_PER_FRAME * size * QUALITY[options.quality]
        return [
            PlannedStage("reconstruct", whole, start=PREPARE_FIT / whole, first=2),
            PlannedStage("refine", together),
        ]
    fitted = FOLLOWING_PER_FRAME * size * FOLLOWING[options.quality]
    quick = options.quality == "draft" and options.reconstructor != COMPACT
    asked_again = options.reconstructor != COMPACT and not quick
    stages = [
        PlannedStage("load", LOAD, spread=LOAD_SPREAD, guessed=True),
        _answers(options, frames, fitted if asked_again else 0.0),
    ]
    if options.reconstructor != COMPACT:
        prepare = PREPARE_FIT if quick else 0.0  # else it has been, between both answers
        whole = prepare + fitted + together
        stages.append(PlannedStage("refine", whole, start=prepare / whole, half=fitted / (fitted + together)))
    return stages


def _answers(options: AnimateOptions, frames: int, fitted: float) -> PlannedStage:
    """The compact model's first answer; where `fitted` seconds of a fit follow, also that, and the second answer."""
    at_once = frames <= SEEN_AT_ONCE
    start = ENCODE_START + ENCODE_PER_FRAME * min(frames, SEEN_AT_ONCE)
    answer = frames * (ANSWER_PER_FRAME if at_once else ANSWER_IN_WINDOWS)
    if not fitted:
        return PlannedStage("reconstruct", start + answer, start=start / (start + answer))
    between, whole = PREPARE_FIT + fitted, start + 2 * answer + PREPARE_FIT + fitted
    half = (answer + between / 2) / (whole - start)  # it tells progress in three parts, of as many frames
    return PlannedStage("reconstruct", whole, start=start / whole, half=half)
