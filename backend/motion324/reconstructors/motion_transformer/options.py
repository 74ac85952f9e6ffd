"""What a user may choose about running the motion transformer. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.options import (
    ATTENTION_CHOICES,
    PRECISIONS,
    TRAINED_FRAMES,
    WINDOW_MODES,
    AnimateOptions,
    bad_option,
    check_choice,
    check_device,
    check_window,
)


@dataclass(frozen=True)
class InferenceOptions:
    """device, precision, attention, window, windows: as in AnimateOptions.
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

    @classmethod
    def of_job(cls, options: AnimateOptions) -> InferenceOptions:
        return cls(options.device, options.precision, options.attention, options.window, options.windows)

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where a value is outside of what makes sense."""
        check_device(self.device)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("attention", self.attention, ATTENTION_CHOICES)
        check_choice("windows", self.windows, WINDOW_MODES)
        if self.trained_frames < 1:
            raise bad_option("trained-frames", f"is {self.trained_frames}; it must be at least 1")
        check_window(self.window, self.trained_frames)
