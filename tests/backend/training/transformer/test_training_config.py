"""The configuration of training: every value is a key with a type, and nothing wrong goes unsaid."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from motion324.cli.main import main
from motion324.core.errors import Motion324Error
from motion324.training.shared.config import TrainingConfig, check_config
from motion324.training.shared.config_keys import as_tables, as_toml, keys_of, read_config, with_values


def refusal(*overrides: str) -> str:
    with pytest.raises(Motion324Error) as refused:
        read_config(TrainingConfig(), None, overrides)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_the_defaults_are_the_published_recipe():
    config = TrainingConfig()
    assert (config.optimiser.rate, config.optimiser.betas, config.optimiser.weight_decay) == (4e-4, (0.9, 0.95), 0.05)
    assert (config.optimiser.warm_up, config.optimiser.clip) == (1000, 1.0)
    assert (config.steps.count, config.steps.batch, config.steps.precision) == (60000, 256, "bfloat16")
    assert config.steps.freeze_image_encoder
    assert (config.data.frames, config.data.surface_points, config.data.query_points) == (12, 4096, 4096)
    assert (config.release.strides, config.release.stride_weights) == ((1, 2, 4), (0.4, 0.4, 0.2))


def test_a_file_and_the_command_line_set_keys_the_later_one_wins(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'out = "runs/a"\n[optimiser]\nrate = 1\nbetas = [0.8, 0.99]\n[synthetic.clips]\nstill_share = 0.5\n'
    )
    config = read_config(TrainingConfig(), path, ["optimiser.rate=2e-4", "out=runs/b", "release.strides=[3]"])
    assert (config.out, config.optimiser.rate, config.optimiser.betas) == ("runs/b", 2e-4, (0.8, 0.99))
    assert config.synthetic.clips.still_share == 0.5
    assert config.release.strides == (3,)
    assert config.steps == TrainingConfig().steps


@pytest.mark.parametrize("name", ["published", "small"])
def test_what_is_printed_reads_as_the_same_configuration(name, tmp_path, capsys):
    assert main(["train", name, "out=a/b", "--print-config"]) == 0
    printed = tmp_path / "printed.toml"
    printed.write_text(capsys.readouterr().out)
    config = read_config(TrainingConfig(), printed, [])
    assert config.out == "a/b"
    assert all(f"{key.name.rpartition('.')[2]} = " in printed.read_text() for key in keys_of(config))
    assert with_values(TrainingConfig(), as_tables(config), "tables") == config
    assert read_config(TrainingConfig(), None, []) == TrainingConfig()
    if name == "published":
        assert config == read_config(TrainingConfig(), None, ["out=a/b"])


def test_printed_keys_carry_their_meaning():
    assert "batch = 256  # samples of a step, over all GPUs" in as_toml(TrainingConfig())
    assert "still_share = 0.12  # clips with almost no motion" in as_toml(TrainingConfig())
    nameless = {one.name.partition(".")[0] for one in keys_of(TrainingConfig()) if not one.says}
    assert nameless == {"transformer"}  # whose sizes are called as in its code


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimiser.rte=1", "no key 'optimiser.rte' (the command line); did you mean optimiser.rate?"),
        ("rate=1", "did you mean optimiser.rate?"),
        ("steps.count=1.5", "'steps.count' is 1.5 (the command line); it must be a whole number"),
        ("steps.count=0", "at least 1"),
        ("steps.compiled=1", "must be true or false"),
        ("data.kind=films", "one of release, synthetic"),
        ("release.strides=2", "a list of whole numbers"),
        ("release.strides=[1.5]", "a list of whole numbers"),
        ("out=5", "must be a text"),
        ("synthetic.clips.frames=3", "no key 'synthetic.clips.frames'"),
        ("steps", "no key=value"),
        ("optimiser.rate=nan", "'optimiser.rate' is nan (the command line); it must be finite"),
        ("optimiser.skip_above=inf", "must be finite"),
        ("optimiser.betas=[0.9, nan]", "must be finite"),
    ],
)
def test_a_wrong_key_or_type_is_refused_by_name(override, words):
    assert words in refusal(override)


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[steps\n")
    with pytest.raises(Motion324Error, match=r"bad\.toml' is no TOML"):
        read_config(TrainingConfig(), path, [])
    with pytest.raises(Motion324Error, match="cannot be read"):
        read_config(TrainingConfig(), tmp_path / "lost.toml", [])


def test_a_configuration_that_is_not_there_is_told_of_with_those_that_are(capsys):
    assert main(["train", "publishd", "out=a"]) == 2
    told = capsys.readouterr().err
    assert "no configuration 'publishd'" in told
    assert "published, small" in told


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], "'out' is empty"),
        (["out=a"], "'release.path' is empty"),
        (["out=a", "data.kind=synthetic"], "'synthetic.rigs' is empty"),
        (["out=a", "release.path=b", "release.strides=[1,2]"], "'release.strides' and 'release.stride_weights'"),
        (["out=a", "release.path=b", "release.stride_weights=[0,0,0]"], "'release.stride_weights'"),
        (["out=a", "release.path=b", "optimiser.betas=[1.0,2.0]"], "'optimiser.betas' must hold two numbers from 0"),
        (["out=a", "release.path=b", "transformer.width=25"], "'transformer.width' is 25; it must be a multiple of 6"),
        (["out=a", "release.path=b", "transformer.head_width=7"], "'transformer.head_width' is 7"),
        (["out=a", "release.path=b", "transformer.head_width=0"], "'transformer.head_width' must be at least 1"),
        (["out=a", "release.path=b", "transformer.image.heads=7"], "no multiple of transformer.image.heads=7"),
        (["out=a", "release.path=b", "transformer.image.width=384"], "'transformer.image.width' are 768 and 384"),
        (["out=a", "release.path=b", "transformer.layer_pairs=0"], "'transformer.layer_pairs' must be at least 1"),
        (["out=a", "release.path=b", "steps.compiled=true", "steps.attention=math"], "'steps.compiled'"),
        (["out=a", "release.path=b", "steps.compiled=true", "steps.deterministic=true"], "'steps.compiled'"),
        (
            ["out=a", "release.path=b", "steps.deterministic=true", "steps.attention=flash"],
            "needs steps.attention=math",
        ),
        (["out=a", "release.path=b", "synthetic.clips.speed=[1.0]"], "'synthetic.clips.speed'"),
        (["out=a", "release.path=b", "synthetic.clips.longest_gap=0"], "'synthetic.clips.longest_gap'"),
    ],
)
def test_keys_that_do_not_fit_each_other_are_refused(overrides, words):
    with pytest.raises(Motion324Error, match=words) as refused:
        check_config(read_config(TrainingConfig(), None, overrides))
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["published", "small"])
def test_configurations_that_come_along_fit(name):
    path = files("motion324.training.transformer") / "configs" / f"{name}.toml"
    check_config(read_config(TrainingConfig(), Path(str(path)), ["out=a", "release.path=b"]))


def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert main(["train", "small", f"out={tmp_path}", "device=cuda"]) == 7
    assert "sees 0 CUDA GPUs" in capsys.readouterr().err
