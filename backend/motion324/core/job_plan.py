"""What an animation has to do, stage by stage, and how many seconds each may take on a common machine.

The seconds are those of two cores of a Xeon, found on 2026-11-28 and 29 from the stages' times on the clock where the
cores were idle, else from half the processor's seconds (benchmarks/results.md tells how its own were measured). They
need to be right among each other only: motion324.core.job_pace corrects all of them by what has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from motion324.core.options import COMPACT, FIT, TRANSFORMER, AnimateOptions, names_mask_files
from motion324.core.progress import STAGES

# Seconds per frame and million pixels: 159 frames of 720 x 720 on white, and 29 of 512 x 512.
READ = 0.06
PLAIN = 0.12
# rembg: of the network, and of fitting its answer to the picture; 720 x 720, idle cores.
NETWORK_PER_FRAME, NETWORK_PER_MEGAPIXEL = 0.13, 0.13
SAM_PER_FRAME = 2.0  # without a GPU; a guess, not measured
SAMPLE = 0.03
VIEW_FOUND, VIEW_GIVEN = 5.0, 0.3  # the first is between 2 and 11.6 s on the clock, 3.4 and 6.2 of the processor
VIEW_START, VIEW_SPREAD = 0.5, 0.6
LOAD, LOAD_SPREAD = 1.5, 0.7  # by whether the files are in memory already
# One answer of the compact model: 29 frames of 7,735 vertices took 8.6 s, or 11.2 processor seconds; the second one
# 5.2 s, or 9.8 processor seconds; of the first one about 3 s were over before the first frame.
START_ANSWERS, ANSWER_PER_FRAME = 3.0, 0.22
# Frames of a video that the compact model sees at once, measured as good as windows as long as in its training; where
# nothing is told yet, it then takes twice as many looks.
SEEN_AT_ONCE = 25
# Of the fit by itself in standard quality: 9.6 processor seconds to fit 12 frames alone, 1.5 to refine them
# together; 159 frames of 13,465 vertices took 60.9 and 24.2 s.
ALONE_PER_FRAME, TOGETHER_PER_FRAME = 0.38, 0.12
# Processor seconds of three clips in draft and fine over those in standard: 11.0 and 49.4 over 36.3.
QUALITY = {"draft": 0.3, "standard": 1.0, "fine": 1.36}
# The same of the fit that follows the compact model: 29 frames took 10.3 to 18.5 s in standard, 16 took 3.4 s in draft;
# fine was not measured, and is taken to be to standard as above.
FOLLOWING = {"draft": 0.45, "standard": 1.0, "fine": 1.36}
PREPARE_FIT, PREPARE_PER_FRAME = 0.8, 0.07  # 29 frames took 1.7 s, or 5.4 processor seconds; 144 frames 51 of these
TRANSFORMER_PER_FRAME = 2.5  # 8 frames of 7,735 vertices in 20 s
TRANSFORMER_LOAD, TRANSFORMER_WARM_UP = 3.0, 1.0  # the second is a guess
VERTICES = 7735  # of the mesh that most of this was measured with
PER_VERTEX_SHARE = 0.1  # of a reconstruction's time, a guess; the rest goes into pictures and the graph's nodes
SMOOTH, WRITE = 5e-7, 2e-7  # per frame and vertex
OVERLAY = 0.21  # per frame and million pixels: 17.2 s for 159 frames of 720 x 720


@dataclass(frozen=True)
class PlannedStage:
    """name: one of STAGES. seconds: expected. start: the share of them that passes before it tells progress, which is
    over when `first` of it are done. half: the share of the rest that is over when half of its progress is told.
    spread: by which factor it may differ from the pace of the others, as a logarithm's standard deviation.
    guessed: it will go one of several ways, and the seconds are those of the slowest: only where it takes longer than
    these does it say something of the machine's pace.
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
        PlannedStage("smooth", SMOOTH * frames * vertices if options.smooth else 0.0),
        PlannedStage("write", frames * (WRITE * vertices + (OVERLAY * megapixels if overlay else 0.0))),
    ]
    return tuple(sorted(planned, key=lambda stage: STAGES.index(stage.name)))


def _view(view: str) -> PlannedStage:
    if view != "auto":
        return PlannedStage("view", VIEW_GIVEN, spread=VIEW_SPREAD)
    return PlannedStage("view", VIEW_FOUND, start=VIEW_START, spread=VIEW_SPREAD)


def _masks(mask: str, frames: int, megapixels: float, given: bool) -> PlannedStage:
    by_network = NETWORK_PER_FRAME + NETWORK_PER_MEGAPIXEL * megapixels
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
            PlannedStage("load", TRANSFORMER_LOAD, spread=LOAD_SPREAD),
            PlannedStage("warm-up", TRANSFORMER_WARM_UP, guessed=True),
            PlannedStage("reconstruct", TRANSFORMER_PER_FRAME * size, guessed=True),  # a GPU is 200 times as fast
        ]
    alone, together = ALONE_PER_FRAME * size, TOGETHER_PER_FRAME * size
    prepare = PREPARE_FIT + PREPARE_PER_FRAME * frames
    if options.reconstructor == FIT:
        alone *= QUALITY[options.quality]
        whole = prepare + alone
        return [
            PlannedStage("reconstruct", whole, start=prepare / whole, first=2),
            PlannedStage("refine", together),
        ]
    quick = options.quality == "draft" and options.reconstructor != COMPACT
    first = 1 if quick or frames > SEEN_AT_ONCE else 2  # answers' worth of looks
    fitted = alone * FOLLOWING[options.quality]
    answers = START_ANSWERS + first * ANSWER_PER_FRAME * size
    if options.reconstructor != COMPACT and not quick:
        answers += prepare + fitted + ANSWER_PER_FRAME * size
    stages = [
        PlannedStage("load", LOAD, spread=LOAD_SPREAD),
        PlannedStage("reconstruct", answers, start=START_ANSWERS / answers),
    ]
    if options.reconstructor != COMPACT:
        whole = prepare + fitted + together
        stages.append(PlannedStage("refine", whole, start=prepare / whole, half=fitted / (fitted + together)))
    return stages
