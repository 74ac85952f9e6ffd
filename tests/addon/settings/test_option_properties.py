"""Blender's properties derive from the options' declarations: one more field is a setting of the scene with bounds, a
keyword of the operators, a row of its panel, and a key of a job file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[3]

# The only edit is the field. Then the add-on of this checkout is switched on, in a Blender of its own.
ONE_MORE = """
import json, os, sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
sys.path[:0] = sys.argv[1:4]
import bpy
from motion324.core.options import animate_options as options
from motion324.core.errors import Motion324Error
from motion324.core.options.option_spec import Shown, option

@dataclass(frozen=True)
class Wider(options.AnimateOptions):
    stiffness: float = option(
        0.25, "how little limbs bend", low=0, high=2,
        counts_with=("reconstructor", ("auto", "deformation-fit")),
        shown=Shown("Stiffness", panel="Quality", soft_high=1),
    )

options.AnimateOptions = Wider

import motion324_addon
from motion324.core.jobs.job_item import parse_item
from motion324_addon.panels import CLASSES
from motion324_addon.settings import properties
from motion324_addon.ui.choices import in_panel_words
from addon.paper_layout import Paper

bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
motion324_addon.register()
settings = bpy.context.scene.motion324
(panel,) = [panel for panel in CLASSES if panel.bl_label == "Quality"]

def is_drawn():
    paper = Paper()
    panel.draw(SimpleNamespace(layout=paper), bpy.context)
    return paper.has("prop", "stiffness")

def of_a_line(**chosen):
    line = json.dumps({"mesh": "m", "video": "v", "options": chosen})
    try:
        return parse_item(line, Path("/jobs")).options.stiffness
    except Motion324Error as error:
        return error.sentence

def bounds(rna):
    found = rna.properties["stiffness"]
    return [found.name, found.description, found.hard_min, found.hard_max, found.soft_max, found.default]

told = {"scene": bounds(settings.bl_rna), "drawn": is_drawn()}
told["operators"] = {
    name: bounds(getattr(bpy.ops.motion324, name).get_rna_type())
    for name in ("animate", "new_mesh", "find_view", "preview_mask")
}
settings.stiffness = 5
told["options"] = properties.options_of(settings).stiffness
settings.reconstructor = "node-model"
told["drawn for another method"] = is_drawn()
told["options of another method"] = properties.options_of(properties.shown_of(settings)).stiffness
told["lines"] = [of_a_line(), of_a_line(stiffness=1.5), of_a_line(stiffness=3)]
told["words"] = in_panel_words("Use --stiffness 1.")
motion324_addon.unregister()
print(json.dumps(told), flush=True)
os._exit(0)  # Blender as a module can wait for its own threads for ever when Python ends
"""


def test_one_more_field_is_a_property_everywhere():
    paths = [str(ROOT), str(ROOT / "backend"), str(ROOT / "tests")]
    done = subprocess.run([sys.executable, "-c", ONE_MORE, *paths], capture_output=True, text=True, timeout=120)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    told = json.loads(lines[-1])
    bounds = ["Stiffness", "How little limbs bend", 0, 2, 1, 0.25]
    assert told == {
        "scene": bounds,
        "operators": dict.fromkeys(("animate", "new_mesh", "find_view", "preview_mask"), bounds),
        "drawn": True,
        "options": 2,
        "drawn for another method": False,
        "options of another method": 0.25,
        "lines": [0.25, 1.5, "The option stiffness is 3; it must lie between 0 and 2."],
        "words": "Use Quality > Stiffness 1.",
    }


@pytest.fixture
def group(addon):
    """One option of each kind that Blender can show; motion324 comes with the extension."""
    from motion324.core.options.option_group import OptionGroup
    from motion324.core.options.option_spec import Choice, Shown, option

    two = (Choice("a", "A"), Choice("b", "B"), Choice("c"))

    @dataclass(frozen=True)
    class Every(OptionGroup):
        rate: float | None = option(None, "a rate", low=0, above_low=True, high=50, shown=Shown("Rate", precision=1))
        count: int = option(3, "a count", low=1, high=10**12, shown=Shown("Count", soft_high=9))
        bare: bool = option(True, "a switch", shown=Shown("Bare", "Told otherwise"))
        file: Path | None = option(None, "a file", shown=Shown("File"))
        text: str = option("x", "a text", shown=Shown("Text", name="other_name"))
        kind: str = option("b", "a choice", choices=two, shown=Shown("Kind"))
        hidden: float = option(1.0, "never seen")

    return Every


@pytest.fixture
def every(addon, group):
    """The properties of one of each kind, as a setting of the scene."""
    made = addon("settings.option_properties").properties_of(group)
    settings = type("Motion324Every", (bpy.types.PropertyGroup,), {"__annotations__": made})
    bpy.utils.register_class(settings)
    bpy.types.Scene.motion324_every = bpy.props.PointerProperty(type=settings)
    yield bpy.context.scene.motion324_every
    del bpy.types.Scene.motion324_every
    bpy.utils.unregister_class(settings)


def test_each_kind_of_option_has_its_kind_of_property(every):
    rna = every.bl_rna.properties
    kinds = {name: rna[name].type for name in rna.keys() if name not in ("rna_type", "name")}  # noqa: SIM118
    assert kinds == {
        "rate": "FLOAT", "count": "INT", "bare": "BOOLEAN", "file": "STRING", "other_name": "STRING", "kind": "ENUM",
    }  # fmt: skip
    assert (rna["rate"].hard_min, rna["rate"].hard_max, rna["rate"].default) == (0, 50, 0)
    assert (rna["count"].hard_min, rna["count"].hard_max, rna["count"].soft_max) == (1, 2**31 - 1, 9)
    assert (rna["bare"].description, rna["count"].description) == ("Told otherwise", "A count")
    assert rna["file"].subtype == "FILE_PATH"
    assert [item.identifier for item in rna["kind"].enum_items] == ["a", "b"] and rna["kind"].default == "b"


def test_properties_give_their_options_values_back(addon, group, every):
    values_of = addon("settings.option_properties").values_of
    assert group.of(values_of(every, group)) == group()
    every.rate, every.count, every.bare, every.file, every.other_name, every.kind = 25, 4, False, "/a", "t", "a"
    assert group.of(values_of(every, group)) == group(25.0, 4, False, Path("/a"), "t", "a")
    assert set(values_of(every, group, lambda spec: spec.kind is int)) == {"count"}


def test_every_property_stands_in_a_panel_which_has_the_same_name_for_it(addon):
    from motion324.core.options.animate_options import AnimateOptions
    from motion324.core.options.mesh_settings import MeshSettings

    labels = {panel.bl_label for panel in addon("panels").CLASSES}
    scene = bpy.context.scene
    for options, settings in ((AnimateOptions, scene.motion324), (MeshSettings, scene.motion324_new_mesh)):
        shown = [spec for spec in options.specs().values() if spec.shown is not None]
        assert shown and {spec.shown.panel for spec in shown} <= labels
        for spec in shown:
            if not spec.shown.composed:
                assert settings.bl_rna.properties[spec.property_name].name == spec.shown.label


def test_menus_keep_the_places_by_which_a_blend_keeps_a_choice(addon):
    scene = bpy.context.scene
    menus = {"mask": "auto as-is alpha plain rembg sam2 file", "view": "auto front angles camera viewport",
             "reconstructor": "auto node-model deformation-fit motion-transformer", "quality": "draft standard fine",
             "device": "auto cuda cpu", "precision": "auto bfloat16 float16 float32"}  # fmt: skip
    for name, menu in menus.items():
        items = scene.motion324.bl_rna.properties[name].enum_items
        assert " ".join(sorted((item.identifier for item in items), key=lambda key: items[key].value)) == menu
    providers = scene.motion324_new_mesh.bl_rna.properties["mesh_provider"].enum_items
    assert [item.identifier for item in providers] == ["inflate", "hunyuan3d", "hunyuan3d-server"]
