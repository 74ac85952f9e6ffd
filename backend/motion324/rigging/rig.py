"""Bones for a trajectory, whichever way: keyframes on the rig that is given, or a rig made from the motion."""

from __future__ import annotations

import numpy as np

from motion324.core.options.rig_settings import RigSettings
from motion324.core.progress import Progress, silent
from motion324.core.rigs.rig import Armature, RiggedMotion, Skin
from motion324.rigging.own_rig import fit_armature


def rig_trajectory(
    positions: np.ndarray,
    faces: np.ndarray,
    settings: RigSettings,
    armature: Armature | None = None,
    skin: Skin | None = None,
    *,
    progress: Progress = silent,
) -> RiggedMotion:
    """positions (T, N, 3): in armature space where a rig is given. faces (F, 3): of the mesh, for a rig that is made.

    Raises Motion324Error as own_rig.fit_armature and made_rig.make_rig do; Cancelled.
    """
    settings.check()
    if armature is not None and skin is not None:
        motion = fit_armature(
            armature, skin, positions, locations=settings.locations, scale=settings.scale, progress=progress
        )
        return RiggedMotion(armature, skin, motion)
    from motion324.rigging.made_rig import make_rig  # needs scipy, which keys of a given rig do not

    return make_rig(positions, faces, settings, progress=progress)
