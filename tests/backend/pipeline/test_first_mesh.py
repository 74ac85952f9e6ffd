"""A mesh of a video's first used frame, from a few of its frames."""

from __future__ import annotations

import numpy as np
import pytest
from foreground_clips import clip_over, plain

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_NO_FOREGROUND, Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import silent
from motion324.core.reference_mesh import normalised_mesh
from motion324.from_video.pictures import write_pictures
from motion324.pipeline import examine
from motion324.pipeline.examine import make_first_mesh
from motion324.view.view_search import find_view


@pytest.fixture
def video(tmp_path):
    frames, _ = clip_over(plain((255, 255, 255)), count=20)
    write_pictures(tmp_path / "creature", frames, "read", silent)
    return tmp_path / "creature"


def test_the_mesh_shows_the_first_used_frame_from_its_front(video, monkeypatch):
    monkeypatch.setattr("motion324.mesh_providers.inflate.provider.VERTICES", 2000)
    stages = []
    made = make_first_mesh(
        video, AnimateOptions(frames=(5, None, 1)), MeshSettings(), progress=lambda stage, *_: stages.append(stage)
    )
    assert (made.frame_number, made.mask_method, made.provider, made.rough_view) == (5, "plain", "inflate", "front")
    assert list(dict.fromkeys(stages)) == ["read", "foreground", "mesh"]
    frames, truth = clip_over(plain((255, 255, 255)), count=6)
    found = find_view(normalised_mesh(made.mesh)[0], frames[5], truth[5].astype(np.float32), made.rough_view, silent)
    assert found.overlap > 0.95 and abs(found.view.azimuth) < 5


def test_frames_in_memory_do_as_well_as_a_file(video):
    frames, _ = clip_over(plain((255, 255, 255)), count=3)
    made = make_first_mesh(VideoClip(frames, 12.0, np.arange(3), name="shot.mp4"), AnimateOptions(), MeshSettings())
    assert made.mesh.name == "shot" and 2000 <= len(made.mesh.positions) <= 20000


def test_a_video_without_an_object_and_a_cancelled_one_give_no_mesh():
    white = VideoClip(np.full((3, 64, 64, 3), 255, np.uint8), 12.0, np.arange(3), name="white.mp4")
    with pytest.raises(Motion324Error, match=r"white\.mp4") as caught:
        make_first_mesh(white, AnimateOptions(), MeshSettings())
    assert caught.value.exit_code == EXIT_NO_FOREGROUND

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "mesh":
            raise Cancelled

    frames, _ = clip_over(plain((255, 255, 255)), count=3)
    with pytest.raises(Cancelled):
        make_first_mesh(VideoClip(frames, 12.0, np.arange(3)), AnimateOptions(), MeshSettings(), progress=stop)


def test_what_the_provider_lacks_is_told_before_the_video_is_read(monkeypatch):
    monkeypatch.setattr(examine, "look_at_first", None)
    clip = VideoClip(np.zeros((2, 8, 8, 3), np.uint8), 12.0, np.arange(2))
    with pytest.raises(Motion324Error, match="hunyuan3d"):
        make_first_mesh(clip, AnimateOptions(), MeshSettings(provider="hunyuan3d"))
