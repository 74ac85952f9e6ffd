"""Errors and warnings, which are made in English, are shown in the interface's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from addon.told_sentences import UNKNOWN, Source, words_of

ROOT = Path(__file__).resolve().parents[3]
ADDON, BACKEND = ROOT / "motion324_addon", ROOT / "backend/motion324"
LANGUAGES = ["de", "fr", "es", "ja", "zh_HANS"]
SLOT = re.compile(r"\{\w*\}")
# What people do not read in panels: batches tell it in a terminal.
WITHOUT_WINDOW = {"batch"}


def sentences() -> Iterator[str]:
    for path in ADDON.rglob("*.py"):
        if not WITHOUT_WINDOW & set(path.relative_to(ADDON).parts):
            yield from Source(path).sentences()


@pytest.fixture
def german(addon, monkeypatch):
    """As where Blender's preferences say so: Blender as a module is built without languages."""
    monkeypatch.setattr(addon("ui.own_language"), "_locale", lambda: "de_DE")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_and_remedy_is_told_in_every_language(addon, monkeypatch, language):
    own_language = addon("ui.own_language")
    monkeypatch.setattr(own_language, "_locale", lambda: language)
    found = {text.replace("{}", "7") for text in sentences() if UNKNOWN not in text}
    single = {part for text in found for part in re.split(r"(?<=\.) (?=[A-Z])", text)}
    told = {text for text in single if re.search("[A-Za-z]{3}", text)}
    assert len(told) > 200
    assert sorted(text for text in told if own_language.in_own_language(text) == text) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_warning_of_the_backend_is_told_in_every_language(addon, monkeypatch, language):
    """But those of mesh files, which Blender reads where there are panels."""
    own_language = addon("ui.own_language")
    monkeypatch.setattr(own_language, "_locale", lambda: language)
    paths = (path for path in BACKEND.rglob("*.py") if path.relative_to(BACKEND).parts[:2] != ("mesh", "files"))
    found = {text for path in paths for text in Source(path).warnings()}
    told = {text.replace("{}", "7") for text in found if UNKNOWN not in text}
    assert len(told) > 10
    assert sorted(text for text in told if own_language.in_own_language(text) == text) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translated_errors_keep_all_names_and_numbers(addon, language):
    room = addon(f"ui.translations.{language.lower()}")
    assert room.ERRORS.keys() == addon("ui.translations.de").ERRORS.keys()
    for text, told in room.ERRORS.items():
        assert set(SLOT.findall(told)) <= set(SLOT.findall(text)), text
        lost = set(SLOT.findall(text)) - set(SLOT.findall(told)) - {"{kind}"}  # which file is meant is told by its path
        assert not lost, text


def test_no_translated_error_is_gone_from_the_sources(addon):
    """By the longest words of each between its names and numbers."""
    in_panel_words = addon("ui.choices").in_panel_words
    paths = [path for folder in (ADDON, BACKEND) for path in folder.rglob("*.py") if "translations" not in path.parts]
    known = "\n".join(in_panel_words(words) for path in paths for words in words_of(path))
    lost = []
    for text in addon("ui.translations.de").ERRORS:
        longest = max(re.split(r"\{\w+\}|\d+|'|[.:;,] | > ", text), key=len).strip(" .,;:()")
        if longest not in known and longest not in ("First Frame", "Frames before frame"):  # in_panel_words says these
            lost.append((text, longest))
    assert lost == []


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (
            "There is no video '/home/a. b/fox.mp4'. Choose another.",
            "Es gibt kein Video '/home/a. b/fox.mp4'. Ein anderes wählen.",
        ),
        ("'Is in Edit Mode' is no mesh.", "'Is in Edit Mode' ist kein Mesh."),
        (
            "The animation cannot be kept as shape keys: 'Fox' shares its mesh with 2 other users.",
            "Die Animation kann nicht als Shape-Keys behalten werden: 'Fox' teilt sein Mesh mit 2 anderen Nutzern.",
        ),
        (
            "No object was found in frames 3-5, 9 of 'fox.mp4'; its motion is guessed there.",
            "In den Frames 3-5, 9 von 'fox.mp4' wurde kein Objekt gefunden; seine Bewegung wird dort geraten.",
        ),
        (
            "Frame 0 of 'a.mp4' is of one colour; the motion is guessed there. Use --frames 1: to leave them out.",
            "Frame 0 von 'a.mp4' ist einfarbig; die Bewegung wird dort geraten. Mit Frames und Tempo > Erster Frame 1 "
            "fallen sie weg.",
        ),
        (
            "Something that nobody has translated. Choose another.",
            "Something that nobody has translated. Ein anderes wählen.",
        ),
        (
            "Another file was opened: the animation of 'Fox' was cancelled, and 2 results were forgotten.",
            "Eine andere Datei wurde geöffnet: die Animation von 'Fox' wurde abgebrochen, und 2 Ergebnisse wurden "
            "vergessen.",
        ),
        (
            "The view of 'Fox' is unsure: its silhouette and the object in the first frame of 'fox.mp4' overlap by "
            "0.80, where right views reach 0.95. Look at the mask and at the overlay: it may be seen from a wrong "
            "side (then give the view, --view AZIMUTH,ELEVATION), have another pose (--pose any), or the mask may "
            "lack a part (--mask PATH).",
            "Die Ansicht von 'Fox' ist unsicher: seine Silhouette und das Objekt im ersten Frame von 'fox.mp4' "
            "überlappen um 0.80; richtige Ansichten erreichen 0.95. Maske und Overlay ansehen: vielleicht wird es von"
            " einer falschen Seite gesehen (dann Kamera > Kamerawinkel > Winkel wählen), hat eine andere Pose (Kamera"
            " > Pose > Beliebig), oder der Maske fehlt ein Teil (Freistellen > Methode > Maskenfolge).",
        ),
        (
            "The mesh 'Fox' has a pose that no frame of 'fox.mp4' shows (silhouettes overlap by 0.70 at most), not "
            "that of frame 0: the result begins with the pose of frame 0, found from a drawing of the mesh, which is "
            "less sure than from a frame, and seen from azimuth 30 and elevation 10 degrees: where that is a wrong "
            "side, give the view (--view AZIMUTH,ELEVATION); surest is a mesh in the pose of frame 0. If it has that "
            "pose after all, use --pose first-frame.",
            "Das Mesh 'Fox' hat eine Pose, die kein Frame von 'fox.mp4' zeigt (Silhouetten überlappen höchstens um "
            "0.70), nicht die von Frame 0: das Ergebnis beginnt mit der Pose von Frame 0, aus einer Zeichnung des "
            "Meshs gefunden, was unsicherer ist als aus einem Frame, gesehen aus Azimut 30 und Höhe 10 Grad: ist das "
            "eine falsche Seite, Kamera > Kamerawinkel > Winkel wählen; am sichersten ist ein Mesh in der Pose von "
            "Frame 0. Hat es diese Pose doch, Kamera > Pose > Erster Frame wählen.",
        ),
        ("Some words of the backend's own", "Some words of the backend's own"),
        (
            "scipy could not be downloaded: pip ended without a word.",
            "scipy konnte nicht heruntergeladen werden: pip endete ohne ein Wort.",
        ),
    ],
)
def test_a_sentence_is_told_in_german(addon, german, told, read):
    in_own_language = addon("ui.own_language").in_own_language
    assert in_own_language(told) == read


def test_in_english_a_sentence_stays_as_it_is(addon):
    told = "There is no video 'fox.mp4'. Choose another."
    assert addon("ui.own_language").in_own_language(told) == told


def test_reasons_and_reports_are_told_in_german(addon, german):
    """The reason why a button is grey, and what an operator reports."""
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.name = "Flat"
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.delete(type="VERT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert addon("ui.readiness").reason_against_object(bpy.context) == (
        "Das Mesh von 'Flat' hat keine Flächen. Ein anderes wählen."
    )
    with pytest.raises(RuntimeError, match=r"Es gibt kein Video 'fox\.mp4'\. Ein anderes wählen\."):
        bpy.ops.motion324.animate(video="fox.mp4")
