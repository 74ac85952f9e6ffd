"""All texts of the interface by the language that Blender's preferences name."""

from __future__ import annotations

from types import MappingProxyType

from . import de, es, fr, ja, zh_hans

# By Blender's names for languages, in all the forms that its versions have.
LANGUAGES = MappingProxyType(
    {
        "de": de.TEXTS,
        "de_DE": de.TEXTS,
        "fr": fr.TEXTS,
        "fr_FR": fr.TEXTS,
        "es": es.TEXTS,
        "ja": ja.TEXTS,
        "ja_JP": ja.TEXTS,
        "zh_HANS": zh_hans.TEXTS,
        "zh_CN": zh_hans.TEXTS,
    }
)
# English sentences that are made with their names and numbers in them before they are shown, see ui/own_language.
ERRORS = tuple(de.ERRORS)
