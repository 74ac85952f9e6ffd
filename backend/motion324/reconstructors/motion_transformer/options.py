"""What a user may choose about running the motion transformer. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.options import bad_option

PRECISIONS = ("auto", "bfloat16", "float16", "float32")
WINDOW_MODES = ("blend", "published")
TRAINED_FRAMES = 256


@dataclass(frozen=True)
class InferenceOptions:
    """device: "auto", "cpu", "cuda" or "cuda:N". precision: of the transformer's blocks, one of PRECISIONS.
    attention: "auto", a kernel, or a family of kernels (see attention.CHOICES).
    window: frames that the model sees at once; a longer video runs in several overlapping windows.
    windows: "blend" (smoothly over the overlap) or "published" (as the authors' script joins them).
    trained_frames: length that the table of positions in time is made for; videos are spread over it.
    keep_memory: keep the GPU memory of a job for the next one, which saves its allocation.
    """

    device: str = "auto"
    precision: str = "auto"
    attention: str = "auto"
    window: int = TRAINED_FRAMES
    windows: str = "blend"
    trained_frames: int = TRAINED_FRAMES
    keep_memory: bool = False

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where a value is outside of what makes sense."""
        if self.precision not in PRECISIONS:
            raise bad_option("precision", f"is '{self.precision}'; it must be one of {', '.join(PRECISIONS)}")
        if self.windows not in WINDOW_MODES:
            raise bad_option("windows", f"is '{self.windows}'; it must be one of {', '.join(WINDOW_MODES)}")
        if self.trained_frames < 1:
            raise bad_option("trained-frames", f"is {self.trained_frames}; it must be at least 1")
        if not 2 <= self.window <= max(self.trained_frames, 2):
            raise bad_option("window", f"is {self.window}; it must lie between 2 and {max(self.trained_frames, 2)}")
