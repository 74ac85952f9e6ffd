"""Says in the interface's language what is made as an English sentence with names in it: errors with their remedies,
and the backend's warnings.

Logs, job files and the wire keep the English sentence, so it is known again here by its pattern, of which
ui/translations has one in each language.
"""

from __future__ import annotations

import functools
import re

import bpy

from .choices import in_panel_words
from .translations.by_language import ERRORS, LANGUAGES

_SLOT = re.compile(r"\{(\w+)\}")
_NUMBERS = r"[\d, -]*\d(?: and \d+ more ranges)?"  # as the backend tells several frames
_NAME = ".+?"  # in quotes, with whatever an artist or a disk calls things
_WORDS = "(?:(?![.!?;] ).)+?"  # no further sentence
_NEXT = re.compile(r"(?<=[.!?;]) (?=\S)")  # where a sentence may end


def in_own_language(text: str) -> str:
    """The text in the interface's language as far as its sentences are known there; names and numbers stay."""
    locale = _locale()
    if locale not in LANGUAGES:
        return bpy.app.translations.pgettext_iface(text)
    return _told(in_panel_words(text), locale) or text


def _locale() -> str:
    """Of the interface; "" where that is English."""
    shown = bpy.context.preferences.view.use_translate_interface
    return bpy.app.translations.locale or "" if shown else ""


@functools.lru_cache(maxsize=512)  # panels ask in every drawing
def _told(text: str, locale: str) -> str:
    """Of the longest run of sentences that is known as a whole, and so on with the rest; "" where none is known."""
    ends = [found.start() for found in _NEXT.finditer(text)] + [len(text)]
    for end in reversed(ends):
        known = _translated(text[:end], locale)
        if known:
            rest = text[end:].lstrip()
            return f"{known} {_told(rest, locale) or rest}".rstrip()
    if len(ends) > 1:
        rest = _told(text[ends[0] :].lstrip(), locale)
        return f"{text[: ends[0]]} {rest}" if rest else ""
    return ""


def _translated(text: str, locale: str) -> str:
    """One whole entry of the catalogue with this text's names and numbers; "" where there is none."""
    texts = LANGUAGES[locale]
    if text in texts:
        return texts[text]
    for pattern, entry in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return texts[entry].format(**{name: _value(value, locale) for name, value in found.groupdict().items()})
    return ""


def _value(value: str, locale: str) -> str:
    """Some slots hold a phrase, such as why something cannot be. Names of objects and files are no entries."""
    known = value in ERRORS or any(pattern.fullmatch(value) for pattern, _ in _patterns())
    return (_told(value, locale) or value) if known else value


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Of all entries that have slots, those with most words of their own first."""
    entries = sorted((each for each in ERRORS if _SLOT.search(each)), key=lambda each: -len(_SLOT.sub("", each)))
    return tuple((re.compile(_pattern_of(entry), re.DOTALL), entry) for entry in entries)


def _pattern_of(entry: str) -> str:
    """Named groups where the slots are; one that stands twice has the same text twice."""
    parts, seen = [], set()
    for index, part in enumerate(_SLOT.split(entry)):
        if index % 2 == 0:
            parts.append(re.escape(part))
        else:
            quoted = parts[-1].endswith("'")
            held = _NUMBERS if part == "numbers" else _NAME if quoted else _WORDS
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>{held})")
            seen.add(part)
    return "".join(parts)
