"""Checkpoints: what loads, what is refused and with which words, and that nothing half-written stays."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from motion324.core.errors import Motion324Error  # noqa: E402
from motion324.reconstructors.motion_transformer.checkpoint import (  # noqa: E402
    convert,
    load_model,
    read_config,
    verify,
    write_checkpoint,
)
from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig  # noqa: E402
from motion324.training.transformer.preparation import random_model  # noqa: E402

CPU = torch.device("cpu")
SMALL = ModelConfig(
    width=48,
    head_width=16,
    mlp_width=96,
    latent_tokens=5,
    special_tokens=3,
    surface_layers=2,
    layer_pairs=3,
    frequencies=6,
    image=ImageEncoderConfig(width=48, depth=2, heads=3, mlp_width=144, patch=7, grid=20),
)


def published(path: Path, change=None, config: ModelConfig = SMALL) -> Path:
    """A checkpoint in the published format, its state dict changed by `change`."""
    state = dict(random_model(config, 0).state_dict())
    state["pos_embed"] = torch.zeros(1, 12 * 256, config.width)
    state["image_encoder.model.mask_token"] = torch.zeros(1, config.width)
    if change:
        change(state)
    optimizer = {"state": {0: {"exp_avg": torch.zeros(100_000)}}, "param_groups": []}
    torch.save({"model": state, "optimizer": optimizer, "lr_scheduler": {}, "param_update_step": 7}, path)
    return path


def refusal(path: Path, code: str) -> str:
    with pytest.raises(Motion324Error) as refused:
        load_model(path, CPU, torch.float32)
    assert refused.value.code == code, refused.value
    assert path.name in refused.value.sentence
    assert refused.value.hint
    return refused.value.sentence


def test_the_configuration_is_inferred_from_shapes(tmp_path):
    assert read_config(published(tmp_path / "a.pt")) == SMALL


def test_a_published_checkpoint_loads_as_it_is(tmp_path):
    model = load_model(published(tmp_path / "a.pt"), CPU, torch.float32)
    expected = random_model(SMALL, 0).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_conversion_keeps_the_tensors_and_drops_the_rest(tmp_path):
    source = published(tmp_path / "a.pt")
    metadata = convert(source, tmp_path / "b" / "a.safetensors", {"licence": "L"})
    path = tmp_path / "b" / "a.safetensors"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.safetensors"]
    assert path.stat().st_size < source.stat().st_size - 400_000
    with safe_open(path, framework="pt") as file:
        assert "pos_embed" not in file.keys()  # noqa: SIM118
        assert file.metadata() == metadata
    assert metadata["licence"] == "L"
    assert metadata["step"] == "7"
    assert ModelConfig.from_dict(json.loads(metadata["config"])) == SMALL
    assert verify(path) == metadata
    assert read_config(path) == SMALL
    model = load_model(path, CPU, torch.float32)
    expected = random_model(SMALL, 0).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_only_the_matrices_of_the_blocks_are_rounded(tmp_path):
    model = load_model(published(tmp_path / "a.pt"), CPU, torch.bfloat16)
    types = {name: value.dtype for name, value in model.state_dict().items()}
    assert types["global_transformer_blocks.0.attn.to_qkv.weight"] == torch.bfloat16
    assert types["shared_mlp_output.1.bias"] == torch.bfloat16
    for name in (
        "global_transformer_blocks.0.norm1.weight",
        "global_transformer_blocks.0.attn.q_norm.weight",
        "point_embed.mlp.weight",
        "image_encoder.model.blocks.0.attn.qkv.weight",
        "shared_mlp_output.0.weight",
        "shared_mlp_output.3.weight",
        "learnable_tokens",
    ):
        assert types[name] == torch.float32, name


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    touched = tmp_path / "touched"

    class Malicious:
        def __reduce__(self):
            return (Path.touch, (touched,))

    path = tmp_path / "bad.pt"
    torch.save({"model": {"learnable_tokens": Malicious()}}, path)
    assert "run code" in refusal(path, "checkpoint-unsafe")
    with pytest.raises(Motion324Error, match="run code"):
        convert(path, tmp_path / "bad.safetensors")
    assert not touched.exists()
    assert not (tmp_path / "bad.safetensors").exists()


def test_an_old_style_pickle_with_code_is_refused(tmp_path):
    touched = tmp_path / "touched"

    class Malicious:
        def __reduce__(self):
            return (Path.touch, (touched,))

    path = tmp_path / "old.pt"
    path.write_bytes(pickle.dumps({"model": Malicious()}))
    refusal(path, "checkpoint-broken")
    assert not touched.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_truncated_files_are_refused(tmp_path, share, kind):
    source = published(tmp_path / "whole.pt")
    if kind == "safetensors":
        convert(source, tmp_path / "whole.safetensors")
        source = tmp_path / "whole.safetensors"
    path = tmp_path / f"part.{kind}"
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cannot be read" in refusal(path, "checkpoint-broken")


def test_files_of_other_kinds_are_refused(tmp_path):
    picture = tmp_path / "picture.pt"
    picture.write_bytes(b"\x89PNG" + bytes(1000))
    refusal(picture, "checkpoint-broken")
    archive = tmp_path / "archive.pt"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "hello")
    refusal(archive, "checkpoint-broken")
    text = tmp_path / "text.safetensors"
    text.write_bytes(struct.pack("<Q", 5) + b"hello")
    refusal(text, "checkpoint-broken")
    with pytest.raises(Motion324Error) as missing:
        load_model(tmp_path / "nowhere.pt", CPU, torch.float32)
    assert missing.value.code == "checkpoint-missing"


def test_another_models_weights_are_refused_by_name(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"transformer.wte.weight": torch.zeros(3, 3)}, path)
    assert "no tensor learnable_tokens" in refusal(path, "checkpoint-foreign")
    state = tmp_path / "numbers.pt"
    torch.save({"model": [1, 2, 3]}, state)
    assert "no state dict" in refusal(state, "checkpoint-foreign")


def drop(name):
    return lambda state: state.pop(name)


def reshape(name, *shape):
    return lambda state: state.update({name: torch.zeros(*shape)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("local_transformer_blocks.1.attn.fc.weight"), "no local_transformer_blocks.1.attn.fc.weight"),
        (drop("image_encoder.model.norm.bias"), "no image_encoder.model.norm.bias"),
        (reshape("shared_mlp_output.3.weight", 4, 48), "shared_mlp_output.3.weight has the shape (4, 48) instead of"),
        (reshape("extra.weight", 2), "extra.weight is unknown"),
        (reshape("learnable_tokens", 5, 48), "learnable_tokens has the shape (5, 48)"),
        (reshape("image_encoder.model.pos_embed", 1, 400, 48), "no square plus one"),
        (reshape("learnable_tokens", 1, 5, 64), "its tokens are 64 wide, but DINOv2's 48"),
    ],
)
def test_missing_misshaped_and_surplus_tensors_are_named(tmp_path, change, words):
    assert words in refusal(published(tmp_path / "a.pt", change), "checkpoint-foreign")


def test_a_changed_file_is_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    write_checkpoint(random_model(SMALL, 0).state_dict(), SMALL, path, {})
    verify(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(Motion324Error) as damaged:
        verify(path)
    assert damaged.value.code == "checkpoint-damaged"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(Motion324Error) as foreign:
        verify(path)
    assert foreign.value.code == "checkpoint-foreign"


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Motion324Error) as failed:
        convert(published(tmp_path / "a.pt"), tmp_path / "file" / "a.safetensors")
    assert failed.value.code == "cannot-write"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.pt", "file"]
