"""Bones for a trajectory, through a real backend process."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from backend_rigs import armature, cloud, swing, trajectory
from wire_harness import request, start_and_wait

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.rig_settings import RigSettings
from motion324.core.rigs.rig import Skin
from motion324.wire.protocol import ProgressEvent, Queued, RigRequest

RIG = armature()
SKIN = cloud(RIG)
POSITIONS = trajectory(RIG, SKIN, swing(RIG))
NO_FACES = np.zeros((0, 3), np.int32)


def test_keys_come_back_for_the_very_bones_that_were_sent(client):
    events = []
    rigged = client.rig(RigRequest(POSITIONS, NO_FACES, RigSettings(), RIG, SKIN), events.append)
    assert rigged.armature.names == RIG.names and rigged.motion.mean.mean() < 1e-5
    np.testing.assert_array_equal(rigged.armature.rest, RIG.rest)
    np.testing.assert_array_equal(rigged.skin.weights, SKIN.weights)
    assert isinstance(events[0], Queued) and any(isinstance(event, ProgressEvent) for event in events)


def test_bones_do_not_wait_for_a_running_animation(client):
    job = start_and_wait(client, request("wait", seconds=30))
    assert client.rig(RigRequest(POSITIONS, NO_FACES, RigSettings(), RIG, SKIN)).motion.mean.mean() < 1e-5
    assert client.status().running == job.job_id
    job.close()


def test_what_cannot_be_keyed_comes_back_as_its_sentence(client):
    bare = Skin(SKIN.positions, SKIN.joints, SKIN.weights * 0)
    with pytest.raises(Motion324Error) as error:
        client.rig(RigRequest(POSITIONS, NO_FACES, RigSettings(), RIG, bare))
    assert error.value.code == "rig-without-weights"


def test_it_can_be_cancelled(client):
    many = armature(tuple(range(-1, 199)))
    skin = cloud(many, 6)
    wish = RigRequest(trajectory(many, skin, swing(many, frames=200)), NO_FACES, RigSettings(), many, skin)
    threading.Timer(0.5, client.cancel, [wish.job_id]).start()
    with pytest.raises(Cancelled):
        client.rig(wish)


@pytest.mark.parametrize("parents", [[0, 0], [1, -1], [-2, 0]])
def test_bones_that_come_before_their_parents_are_refused(client, parents):
    rig = armature((-1, 0))
    broken = dataclasses.replace(rig, parents=np.int32(parents))
    with pytest.raises(Motion324Error, match="parents"):
        client.rig(RigRequest(POSITIONS[:, :14], NO_FACES, RigSettings(), broken, cloud(rig, 7)))
