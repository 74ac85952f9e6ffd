"""Every label of the interface is there in every language that comes along, and Blender shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

ADDON = Path(__file__).resolve().parents[3] / "motion324_addon"
SHOWING = {"label", "operator", "prop", "menu", "popover", "prop_search"}


def of_files() -> Iterator[str]:
    """Texts that the panels give their widgets, and the names that menus give entries."""
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            told = {keyword.arg: keyword.value for keyword in node.keywords}
            untranslated = isinstance(told.get("translate"), ast.Constant) and not told["translate"].value
            texts = [told.get("text")] if name in SHOWING and not untranslated else []
            texts += node.args[1:2] if name == "draw_fact" else []
            texts += node.args[2:3] if name == "Entry" else []
            for text in texts:
                options = (text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,)
                yield from (each.value for each in options if isinstance(each, ast.Constant) and each.value)


def of_blender(addon) -> Iterator[str]:
    """Labels of what is registered, of its properties, and of these' choices."""
    scene = bpy.context.scene
    groups = [type(getattr(scene, name)) for name in ("motion324", "motion324_rig", "motion324_new_mesh")]
    groups += [addon("settings.pins").Motion324Pin, addon("settings.preferences").Motion324Preferences]
    classes = [*addon("operators").CLASSES, *addon("panels").CLASSES, addon("ui.menu").MOTION324_MT_object]
    yield from (cls.bl_label for cls in classes)
    for cls in [*groups, *addon("operators").CLASSES]:
        own = {
            name
            for base in cls.__mro__
            if base.__module__.startswith("bl_ext")
            for name in vars(base).get("__annotations__", ())
        }
        for each in cls.bl_rna.properties:
            if each.identifier in own and not each.is_hidden:
                yield each.name
                yield from (item.name for item in getattr(each, "enum_items", ()))


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "zh_HANS"])
def test_every_label_has_a_translation(addon, language):
    languages = addon("ui.languages")
    texts = languages.LANGUAGES[language]
    shown = {text for text in (*of_files(), *of_blender(addon)) if any(letter.isalpha() for letter in text)}
    assert len(shown) > 150
    assert sorted(shown - set(texts) - languages.NAMES) == []
    assert all(told.strip() == told and told for told in texts.values())


def test_blender_shows_labels_in_the_language_of_its_preferences(addon):
    if not bpy.app.build_options.international:
        pytest.skip("this Blender is built without languages")
    view = bpy.context.preferences.view
    before = view.language, view.use_translate_interface
    told = bpy.app.translations.pgettext_iface
    try:
        for language, text in (("de_DE", "Verfeinern"), ("fr_FR", "Affiner"), ("es", "Refinar"), ("ja_JP", "精密化")):
            view.language, view.use_translate_interface = language, True
            assert told("Refine") == told("Refine", "Operator") == text
        chinese = next(name for name in ("zh_HANS", "zh_CN") if name in bpy.app.translations.locales)
        view.language = chinese
        assert told("Refine") == "精修"
    finally:
        view.language, view.use_translate_interface = before
    assert told("Refine") == "Refine"
