"""Finds a reconstructor by its name.

The motion transformer is kept from job to job, until it is unloaded or set otherwise; the compact model, which is
small, until it is unloaded or a backend has had nothing to do for a while.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.core.files.input_files import file_state
from motion324.core.options.animate_options import DEFAULT_RECONSTRUCTOR, AnimateOptions
from motion324.core.progress import Progress
from motion324.reconstructors.interface import Reconstructor

if TYPE_CHECKING:
    from motion324.reconstructors.motion_transformer.reconstructor import MotionTransformer

_lock = threading.Lock()
_transformer: MotionTransformer | None = None
_made_of: object = None  # what _transformer was made of: its options, and the weights' path, size and time


def get_reconstructor(options: AnimateOptions, progress: Progress) -> Reconstructor:
    """The one that options.reconstructor names ("auto": the default), ready for a job with these options.

    The motion transformer, once loaded, serves all jobs with the same options and weights.
    Raises Motion324Error("bad-option") for options that AnimateOptions.check refuses; for reconstructors with weights
    also "weights-missing"; for the motion transformer "torch-missing" and what MotionTransformer.prepare raises.
    """
    options.check()
    wanted = DEFAULT_RECONSTRUCTOR if options.reconstructor == "auto" else options.reconstructor
    if wanted == "deformation-fit":
        from motion324.reconstructors.deformation_fit.fit_problem import settings_for
        from motion324.reconstructors.deformation_fit.reconstructor import DeformationFit

        return DeformationFit(settings_for(options.quality))
    if wanted in ("node-model", "node-model+fit"):
        from motion324.reconstructors.node_model.reconstructor import NodeModelReconstructor

        predictor = NodeModelReconstructor(options.weights, options.device, hurries=options.quality == "draft")
        if wanted == "node-model":
            return predictor
        from motion324.reconstructors.deformation_fit.fit_problem import settings_for
        from motion324.reconstructors.deformation_fit.reconstructor import RefinedByFit

        twice = options.quality != "draft"
        return RefinedByFit(predictor, settings_for(options.quality), asks_twice=twice, device=options.device)
    transformer = _transformer_for(options)
    transformer.prepare(progress)
    return transformer


def loaded_reconstructors() -> dict[str, str]:
    """Names of those that are in memory, and the device on which each lies."""
    kept = _transformer
    return {kept.name: kept.place} if kept is not None and kept.place else {}


def unload_reconstructors(*, keep_on_cpu: bool = False) -> None:
    """Frees what they hold, or with keep_on_cpu only what they hold on a GPU; the next job brings it back."""
    global _transformer, _made_of
    from motion324.reconstructors.node_model.opening import forget_model

    forget_model()
    with _lock:
        if _transformer is not None and keep_on_cpu:
            _transformer.to_cpu()
        elif _transformer is not None:
            _transformer.unload()
            _transformer = _made_of = None


def _transformer_for(options: AnimateOptions) -> MotionTransformer:
    global _transformer, _made_of
    from motion324.reconstructors.motion_transformer.options import InferenceOptions
    from motion324.reconstructors.motion_transformer.reconstructor import MotionTransformer

    inference = InferenceOptions.of_job(options)
    given = Path(options.weights).expanduser() if options.weights else None
    fresh = MotionTransformer(inference, given)
    made_of = (inference, file_state(fresh.weights))
    with _lock:
        if _transformer is None or made_of != _made_of:
            if _transformer is not None:
                _transformer.unload()
            _transformer, _made_of = fresh, made_of
        return _transformer
