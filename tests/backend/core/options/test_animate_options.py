"""The options of a job: what they accept, and how they travel as plain JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import ATTENTION_CHOICES, AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.option_group import read_value
from motion324.reconstructors.motion_transformer.options import InferenceOptions


def test_options_survive_json():
    options = AnimateOptions(
        reconstructor="motion-transformer",
        frames=(3, None, 2),
        fps=12.0,
        device="cuda:1",
        precision="float16",
        attention="flash-attn",
        window=64,
        windows="published",
        weights="/models/motion.safetensors",
    )
    assert AnimateOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_numbers_may_come_as_text():
    options = AnimateOptions.from_dict({"window": "32", "smooth": "1.5", "seed": "4", "fps": "25"})
    assert (options.window, options.smooth, options.seed, options.fps) == (32, 1.5, 4, 25.0)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:11"])
@pytest.mark.parametrize("attention", ATTENTION_CHOICES)
def test_every_device_and_kernel_may_be_asked_for(device, attention):
    AnimateOptions(device=device, attention=attention).check()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "gpu"),
        ("device", "cuda:"),
        ("device", "cuda:-1"),
        ("device", "cuda:1 "),
        ("device", 0),
        ("precision", "int8"),
        ("attention", "fastest"),
        ("attention", None),
        ("window", 1),
        ("window", 257),
        ("window", "many"),
        ("window", None),
        ("windows", "sharp"),
        ("weights", 7),
        ("reconstructor", ["auto"]),
        ("reconstructor", "magic"),
        ("kernel", "flash"),
        ("k" * 30_000, "flash"),
        ("mask", "m" * 30_000),
        ("mask", "masks/" + "m" * 300),
        ("mask", "masks\0"),
        ("mask", ""),
        ("view", "1," * 15_000),
        ("reconstructor", "r" * 4000),
        ("smooth", 10**400),
        ("smooth", "9" * 5000),
        ("smooth", float("inf")),
        ("smooth", float("nan")),
        ("smooth", "Infinity"),
        ("smooth", True),
        ("smooth", {"of": 1}),
        ("seed", 10**400),
        ("seed", float("inf")),
        ("seed", 0.5),
        ("seed", -1),
        ("seed", False),
        ("seed", "9" * 5000),
        ("fps", 0),
        ("fps", float("nan")),
        ("fps", 1e-400),
        ("window", 10**400),
        ("frames", [0, 10**400, 1]),
        ("frames", [0, float("inf"), 1]),
        ("frames", [0, 10, 0]),
        ("frames", [0, 10, float("nan")]),
        ("frames", [0, 10]),
        ("frames", "123"),
        ("frames", 5),
        ("frames", None),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(Motion324Error) as refused:
        AnimateOptions.from_dict({name: value})
    assert refused.value.code == "bad-option"
    assert refused.value.exit_code == EXIT_USAGE
    sentence = refused.value.sentence
    assert sentence.startswith(f"The option {name[:70]}") and sentence.endswith(".")
    assert len(sentence) < 400 and sentence.count("The option") == 1


@pytest.mark.parametrize("values", [["mask"], "mask", 5, None])
def test_options_that_are_no_object_are_refused(values):
    with pytest.raises(Motion324Error, match="must be a JSON object") as refused:
        AnimateOptions.from_dict(values)
    assert refused.value.code == "bad-option"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("smooth", -1, "is -1; it must lie between 0 and 1000"),
        ("fps", 0, "is 0; it must be above 0 and at most 1000"),
        ("video_fps", 2000, "is 2000; it must be above 0 and at most 1000"),
        ("window", "many", "is 'many'; it must be a whole number"),
        ("quality", "best", "is 'best'; it must be one of draft, standard, fine"),
        ("device", "gpu", "is 'gpu'; it must be auto, cpu, cuda or cuda:N"),
        ("view", "left", "is 'left'; it must be auto, front, or AZIMUTH,ELEVATION in degrees"),
        ("view", "0,100", "has the elevation 100; it must lie between -90 and 90 degrees"),
        ("frames", "0:9:-1", "has the step -1; it must be at least 1"),
        ("mask", 3, "is 3; it must be a text"),
        ("seed", 10**400, "is a number of more than 80 digits; it must lie between 0 and 9223372036854775807"),
    ],
)
def test_a_refusal_says_what_the_value_may_be(name, value, why):
    with pytest.raises(Motion324Error) as refused:
        AnimateOptions.from_dict({name: value})
    assert refused.value.sentence == f"The option {name.replace('_', '-')} {why}."


def test_values_are_read_as_their_option_has_them():
    given = {"frames": [2, None, None], "smooth": 1, "seed": 4.0, "window": np.int64(8), "fps": np.float32(24)}
    options = AnimateOptions.from_dict(given)
    assert (options.frames, options.smooth, options.seed) == ((2, None, 1), 1.0, 4)
    assert [type(value) for value in (options.smooth, options.seed, options.window, options.fps)] == [
        float, int, int, float,
    ]  # fmt: skip


def test_a_text_in_the_place_of_a_number_is_no_option_yet():
    with pytest.raises(Motion324Error, match="The option smooth is the text"):
        dataclasses.replace(AnimateOptions(), smooth="1").check()


def test_paths_among_the_options_are_found_from_a_folder(tmp_path):
    options = AnimateOptions(mask="masks", weights="/models/own.onnx")
    assert options.files() == {"mask": Path("masks"), "weights": Path("/models/own.onnx")}
    located = options.located(tmp_path)
    assert (located.mask, located.weights) == (str(tmp_path / "masks"), "/models/own.onnx")
    assert options.located(tmp_path, only=("weights",)).mask == "masks"
    assert AnimateOptions(mask="sam2:box=0,0,1,1").files() == {}


def test_an_option_counts_only_beside_those_that_look_at_it():
    assert AnimateOptions(reconstructor="motion-transformer").counts("precision")
    assert not AnimateOptions().counts("precision") and AnimateOptions().counts("quality")
    for spec in (*AnimateOptions.specs().values(), *MeshSettings.specs().values()):
        for rule in (spec.counts_with, spec.shown and spec.shown.only_with):
            if rule:
                group = AnimateOptions if rule[0] == "reconstructor" else MeshSettings
                assert set(rule[1]) <= set(group.specs()[rule[0]].values)


@pytest.mark.parametrize("group", [AnimateOptions, MeshSettings, InferenceOptions])
def test_every_default_is_allowed_and_read_as_itself(group):
    group().check()
    for spec in group.specs().values():
        assert read_value(spec, spec.default) == spec.default
        assert spec.help and not spec.help.endswith(".")


def test_the_transformer_runs_as_the_job_asks():
    job = AnimateOptions(device="cpu", precision="float32", attention="math", window=8, windows="published")
    assert InferenceOptions.of_job(job) == InferenceOptions("cpu", "float32", "math", 8, "published")
