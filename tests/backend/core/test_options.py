"""The options of a job: what they accept, and how they travel as plain JSON."""

from __future__ import annotations

import json

import pytest

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options import ATTENTION_CHOICES, AnimateOptions
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
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(Motion324Error) as refused:
        AnimateOptions.from_dict({name: value})
    assert refused.value.code == "bad-option"
    assert refused.value.exit_code == EXIT_USAGE
    assert name in refused.value.sentence


def test_the_transformer_runs_as_the_job_asks():
    job = AnimateOptions(device="cpu", precision="float32", attention="math", window=8, windows="published")
    assert InferenceOptions.of_job(job) == InferenceOptions("cpu", "float32", "math", 8, "published")
