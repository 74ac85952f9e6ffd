"""Keeps results as keyframes on bones: what the scene reads goes to the backend, and what it answers into the scene."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

import motion324.client
from motion324.core.options.rig_settings import RigSettings

from ..scene.playing import keeping, takes
from ..scene.playing.animation import Animation
from ..scene.rigging import keeping_bones, made_rig, own_rig
from ..scene.rigging.keeping_bones import Kept
from .backend import Where
from .rig_request import ask_in_steps

Steps = Generator[tuple[int, int], None, Kept]


@dataclass(frozen=True)
class Wish:
    """kind: of keeping.BONES. where: the backend that does the work. to_nla: the action becomes a strip in the NLA
    editor."""

    kind: str
    settings: RigSettings
    where: Where
    to_nla: bool = False


def keep(animations: Sequence[Animation], wish: Wish) -> Steps:
    """Yields (done, total), and returns what is to be told; closing it changes nothing.

    Raises Motion324Error: what `own_rig.read_own_rig` or `made_rig.read_motion` raises, or what the backend told;
    nothing is changed then.
    """
    return (_keep_on_armature if wish.kind == keeping.ARMATURE else _keep_as_rig)(animations, wish)


def check_can_keep(kind: str, obj: object, settings: RigSettings) -> None:
    """Raises what keeping bones would raise of the object, as far as it is seen before it is animated."""
    if kind == keeping.ARMATURE:
        own_rig.check_has_own_rig(obj, settings.armature)
    elif kind == keeping.RIG:
        made_rig.check_can_have_rig(obj)


def _keep_on_armature(animations: Sequence[Animation], wish: Wish) -> Steps:
    rig = own_rig.read_own_rig(animations, wish.settings.armature)
    yield 0, 1
    no_faces = np.zeros((0, 3), np.int32)
    name = animations[0].target.name
    request = motion324.client.RigRequest(
        rig.positions, no_faces, wish.settings, rig.read.armature, rig.skin, name=name
    )
    rigged = yield from ask_in_steps(request, wish.where)
    written = yield from takes.write_all_in_steps(animations)
    return keeping_bones.keep_on_armature(animations, rig, rigged.motion, written, wish.to_nla)


def _keep_as_rig(animations: Sequence[Animation], wish: Wish) -> Steps:
    motion = made_rig.read_motion(animations)
    yield 0, 1
    request = motion324.client.RigRequest(motion.positions, motion.faces, wish.settings, name=animations[0].target.name)
    rigged = yield from ask_in_steps(request, wish.where)
    written = yield from takes.write_all_in_steps(animations)
    return made_rig.keep_as_rig(animations, motion, rigged, written, wish.to_nla)
