"""`motion324 refine` as a person runs it: a result, a file of pins, and a better result."""

from __future__ import annotations

import json

import numpy as np
from end_to_end.conftest import QUICK


def test_a_result_is_corrected_and_the_rest_stays(motion324, bending, tmp_path):
    first, better = tmp_path / "first", tmp_path / "better"
    done = motion324("animate", bending.mesh, bending.video, "-o", first, *QUICK, "--mask", "plain")
    assert done.returncode == 0, done.stderr
    before = np.load(first / "trajectory.npz")["positions"]
    vertex = int(np.argmax(before[0, :, 2]))
    place = before[3, vertex] + np.float32([0.0, 2.0, 0.0])
    pins = {"poses": [{"frame": 3, "vertices": [vertex], "positions": [place.tolist()]}]}
    (tmp_path / "pins.json").write_text(json.dumps(pins))
    command = ("refine", bending.mesh, bending.video, first, "--pins", tmp_path / "pins.json", "-o", better)
    done = motion324(*command, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["report"]["options"]["mask"] == "plain" and told["report"]["pins"]["given"] == 1
    after = np.load(better / "trajectory.npz")["positions"]
    assert np.abs(after[3, vertex] - place).max() < 1e-4
    assert np.array_equal(after[0], before[0])  # the mesh's own pose
    assert (better / "animation.pc2").is_file() and (better / "report.json").is_file()

    (tmp_path / "pins.json").write_text(json.dumps({"points": [{"frame": 99, "vertex": 0, "at": [0.5, 0.5]}]}))
    refused = motion324(*command)
    assert refused.returncode == 2 and "frame 99" in refused.stderr
    refused = motion324(*command[:4], "-o", better)
    assert refused.returncode == 2 and "pins" in refused.stderr
    refused = motion324(*command[:-1], first)  # over the earlier result
    assert refused.returncode != 0 and "overwrite" in refused.stderr
