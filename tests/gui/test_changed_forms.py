"""What was kept is changed, in each form and after reopening, by real clicks."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long


def test_a_kept_take_is_changed_from_one_form_to_the_other_and_after_reopening(tell_fast):
    report = tell_fast("changed_forms", screen=(1280, 1000), frames=9)
    assert report["closed"] and report["tabs"] == ["Motion324"]
    assert any("'Ball' was animated in" in line for line in report["told"])
    rig = ["ARMATURE"]
    assert report["forms"] == [["SHAPE_KEYS"], ["MESH_CACHE"], rig, ["SHAPE_KEYS"], ["SHAPE_KEYS"]]
    whole = report["moved"][0]
    strengths = [moved / whole for moved in report["moved"]]
    assert strengths == pytest.approx([1, 0.5, 0.8, 1, 0.5], abs=0.05)  # bones cannot follow the wobble wholly
    assert strengths[1] == pytest.approx(0.5, abs=1e-3) and strengths[4] == pytest.approx(0.5, abs=1e-3)
    assert report["waits_after_undo"] and report["after_redo"] == [["SHAPE_KEYS"], False]
    assert report["after_opening"] == ["SHAPE_KEYS"]
    first, last, turns = report["played"]
    assert report["range"] == [True, 1, 9] and (first, last) == (1, 9) and turns >= 2 and report["stopped"]
    shading, on, colours, off, colours_then = report["shading"]
    assert on == "VERTEX" and colours == colours_then + 1 and off == shading
    assert len(report["strips"]) == 1 and "Ball" in report["strips"][0]
