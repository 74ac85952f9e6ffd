"""Every label of the interface is there in every language that comes along, and Blender shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

ADDON = Path(__file__).resolve().parents[3] / "motion324_addon"
TOLD = {"report", "status_text_set"}  # which Blender shows as it is
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
            texts += [*node.args[2].elts[1:], node.args[4]] if name == "draw_or_all" else []
            for text in texts:
                options = (text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,)
                yield from (each.value for each in options if isinstance(each, ast.Constant) and each.value)


def sentences_of_files() -> Iterator[str]:
    """What is told as a whole: lines of panels, reasons why a button is grey, tooltips that an operator chooses."""
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if path.name == "readiness.py" and isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
                yield node.value.value or "-"
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = {
                "draw_lines": 2,
                "poll_message_set": 0,
                "tooltip": 0,
                "Status": 0,
                "pgettext_iface": 0,
                "phrase": 0,
            }.get(name)
            for text in node.args[place : place + 1] if place is not None else ():
                options = (text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,)
                options = text.values if isinstance(text, ast.BoolOp) else options
                yield from (each.value for each in options if isinstance(each, ast.Constant) and each.value)


def registered(addon) -> Iterator[tuple[type, object]]:
    """The classes whose properties are shown, each with what Blender knows of it."""
    scene = bpy.context.scene
    for name in ("motion324", "motion324_rig", "motion324_new_mesh"):
        yield type(getattr(scene, name)), getattr(scene, name).bl_rna
    preferences = addon("settings.preferences").Motion324Preferences
    for cls in (addon("settings.pins").Motion324Pin, addon("settings.tweak_settings").Motion324Tweak, preferences):
        yield cls, cls.bl_rna
    for cls in addon("operators").CLASSES:
        if "_OT_" in cls.__name__:
            yield cls, getattr(bpy.ops.motion324, cls.__name__.split("_OT_")[1]).get_rna_type()


def properties(addon) -> Iterator[object]:
    for cls, rna in registered(addon):
        own = {
            name
            for base in cls.__mro__
            if base.__module__.startswith("bl_ext")
            for name in vars(base).get("__annotations__", ())
        }
        yield from (each for each in rna.properties if each.identifier in own and not each.is_hidden)


def of_blender(addon) -> Iterator[str]:
    """Labels of what is registered, of its properties, and of these' choices."""
    classes = [*addon("operators").CLASSES, *addon("panels").CLASSES, addon("ui.menu").MOTION324_MT_object]
    classes.append(addon("ui.menu").MOTION324_MT_presets)
    yield from (cls.bl_label for cls in classes)
    for each in properties(addon):
        yield each.name
        yield from (item.name for item in getattr(each, "enum_items", ()))


def sentences_of_tables(addon) -> Iterator[str]:
    """What stages of a job are called, and what is wrong with an installation, with the button that mends it."""
    state = addon("runner_base.state")
    yield from (state.STARTING, *state.STAGE_LABELS.values(), *addon("operators.looks").STOPS.values())
    for told in addon("installation.drawing").CONDITIONS.values():
        yield from told
    yield from addon("installation.drawing").TASK_LABELS.values()
    yield from (cls.doing for cls in addon("operators").CLASSES if getattr(cls, "doing", ""))


def tooltips(addon) -> Iterator[str]:
    """Of operators, of properties, and of these' choices."""
    yield from (rna.description for cls, rna in registered(addon) if "_OT_" in cls.__name__)
    for each in properties(addon):
        yield each.description
        yield from (item.description for item in getattr(each, "enum_items", ()))


def joined_texts() -> Iterator[str]:
    """Sentences that are put together of words and values where they are shown, which no catalogue can have."""
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name not in {*TOLD, "poll_message_set", "draw_lines", "draw_fact", "Status", "VideoFacts", *SHOWING}:
                continue
            told = [each.value for each in node.args if isinstance(each, ast.Constant)] if name in TOLD else []
            yield from (f"{path.relative_to(ADDON)}:{node.lineno}: {text}" for text in told if " " in str(text))
            for text in (*node.args, *(each.value for each in node.keywords)):
                for part in text.values if isinstance(text, ast.JoinedStr) else ():
                    if isinstance(part, ast.Constant) and re.search(r"[A-Za-z]{2}", part.value):
                        yield f"{path.relative_to(ADDON)}:{node.lineno}: {part.value.strip()}"


def test_no_sentence_is_put_together_but_by_phrase():
    # Names of operators, and a rate's unit, which is the same in all languages.
    assert [text for text in joined_texts() if not text.endswith((": motion324.", ": fps"))] == []


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "zh_HANS"])
def test_every_label_has_a_translation(addon, language):
    languages = addon("ui.languages")
    texts = languages.LANGUAGES[language]
    shown = {text for text in (*of_files(), *of_blender(addon)) if any(letter.isalpha() for letter in text)}
    assert len(shown) > 150
    assert sorted(shown - set(texts) - languages.NAMES) == []
    assert all(told.strip() == told and told for told in texts.values())


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "zh_HANS"])
def test_every_tooltip_and_sentence_has_a_translation(addon, language):
    shown = {
        text
        for text in (*tooltips(addon), *sentences_of_files(), *sentences_of_tables(addon))
        if any(letter.isalpha() for letter in text)
    }
    texts = addon("ui.languages").LANGUAGES[language]
    assert len(shown) > 300
    assert sorted(shown - set(texts)) == []


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "zh_hans"])
def test_no_translation_is_of_a_text_that_is_gone(addon, language):
    shown = {*of_files(), *of_blender(addon), *tooltips(addon), *sentences_of_files(), *sentences_of_tables(addon)}
    room = f"ui.translations.{language}"
    told = {text for kind in ("labels", "tooltips", "sentences") for text in addon(f"{room}.{kind}").TEXTS}
    assert sorted(told - shown) == []


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
        assert (
            bpy.app.translations.pgettext_tip("Remove the copy; nothing is pinned")
            == "コピーを削除します。何もピン留めしません"
        )
        view.language = chinese
        assert told("Refine") == "精修"
    finally:
        view.language, view.use_translate_interface = before
    assert told("Refine") == "Refine"
