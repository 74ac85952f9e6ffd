"""Prepared rigs are those that were read and made, all in one file, with which a run begins."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from training_rig import write_rigs

pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.core.errors import Motion324Error
from motion324.training.prepare_rigs import main, prepared
from motion324.training.synthesis.creatures.creature import make_creature
from motion324.training.synthesis.prepared_rigs import read_prepared_rigs, write_prepared_rigs


def _same(one, other):
    if isinstance(one, tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            _same(*pair)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and np.array_equal(one, other)
    elif isinstance(one, str):
        assert one == other
    else:
        for field in fields(one):
            _same(getattr(one, field.name), getattr(other, field.name))


def test_rigs_come_back_as_they_were(tmp_path):
    rigs = [make_creature(plan, 0, 3) for plan in ("quadruped", "fish", "machine")]
    write_prepared_rigs(tmp_path / "rigs.npz", rigs)
    _same(tuple(rigs), tuple(read_prepared_rigs(tmp_path / "rigs.npz")))


def test_a_folder_is_prepared_with_all_its_rigs_and_creatures(tmp_path, capsys):
    folder = write_rigs(tmp_path / "rigs", ["a__one", "fish_pack__Whale"])
    assert main(["--rigs", str(folder), "--out", str(tmp_path / "all.npz"), "--creatures", "1"]) == 0
    found = read_prepared_rigs(tmp_path / "all.npz")
    assert [rig.name for rig in found[:2]] == ["a__one", "fish_pack__Whale"]
    assert str(len(found)) in capsys.readouterr().out and len(found) > 10
    _same(tuple(prepared(folder, 1, 0, 0, 1)), tuple(found))


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + 18 * b"\0", b"no archive"])
def test_a_file_that_holds_none_is_named(tmp_path, content):
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(Motion324Error, match=r"odd\.npz"):
        read_prepared_rigs(tmp_path / "odd.npz")


def test_a_folder_without_rigs_is_an_exit_code_and_a_sentence(tmp_path, capsys):
    assert main(["--rigs", str(tmp_path), "--out", str(tmp_path / "all.npz")]) != 0
    assert str(tmp_path) in capsys.readouterr().err
