"""Over which frames of the scene an object moves, also while its result is still a preview."""

from __future__ import annotations

import bpy

from ...job.runner import runner
from . import keeping


def frames_of(obj: bpy.types.Object) -> tuple[int, int]:
    """First and last whole frame: of the result that waits on the object, or of the one that was kept on it; the
    scene's own range where there is neither.
    """
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return animation.timing.whole_frames
    return keeping.animated_range(obj)
