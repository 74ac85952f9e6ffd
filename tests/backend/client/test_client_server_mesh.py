"""A mesh made of a video's first frame, through a real backend process."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from wire_harness import clip, request, start_and_wait, within

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.wire.protocol import MeshRequest, ProgressEvent, Queued

QUICK = MeshSettings(time_limit=0.05)
LONG = MeshSettings(time_limit=30.0)


def test_a_mesh_comes_back_whole(client):
    events = []
    made = client.make_mesh(MeshRequest(clip(), AnimateOptions(), QUICK), events.append)
    np.testing.assert_array_equal(made.mesh.positions, np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), strict=True)
    np.testing.assert_array_equal(made.mesh.vertex_colour, made.mesh.positions, strict=True)
    assert (made.mesh.name, made.mesh.up, made.rough_view) == ("triangle", "Y", "front")
    assert (made.frame_number, made.mask_method, made.provider) == (3, "plain", "inflate")
    assert made.licence == "A licence." and made.details == {"overlap": 0.5}
    assert made.warnings == ({"code": "test", "sentence": "A warning."},)
    assert isinstance(events[0], Queued) and any(isinstance(event, ProgressEvent) for event in events)


def test_the_settings_arrive_as_they_were_sent(client):
    settings = MeshSettings(
        "hunyuan3d-server", faces=4000, seed=7, texture=False, model="a/b", server="http://h:1", time_limit=0.01
    )
    client.make_mesh(MeshRequest(Path("/videos/fox.mp4"), AnimateOptions(video_fps=12), settings, send_video=False))
    made = client.status().details["made"]
    assert made == [str(Path("/videos/fox.mp4")), settings.to_dict(), 12.0]


def test_a_mesh_does_not_wait_for_a_running_animation_and_is_cancelled_at_once(client):
    job = start_and_wait(client, request("wait", seconds=30))
    client.make_mesh(MeshRequest(clip(), settings=QUICK))
    wish = MeshRequest(clip(), settings=LONG)
    threading.Timer(0.3, client.cancel, [wish.job_id]).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        client.make_mesh(wish)
    assert time.monotonic() - began < 5
    within(10, lambda: wish.job_id in client.status().details["cancelled"])
    assert client.status().running == job.job_id
    job.close()


@pytest.mark.parametrize(
    ("values", "told"),
    [({"provider": "magic"}, "magic"), ({"provider": "file"}, "file"), ({"faces": 3}, "faces"), ({"more": 1}, "more"),
     ({"texture": "no"}, "texture"), ({"faces": True}, "faces"), ({"server": 5}, "server")],
)  # fmt: skip
def test_wrong_settings_are_told_by_name(values, told):
    with pytest.raises(Motion324Error, match=told) as caught:
        MeshSettings.from_dict(values)
    assert caught.value.code == "bad-option"
