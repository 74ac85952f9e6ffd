"""The interface in German: drafts made by a machine, which no speaker of the language has read yet.

ui/languages imports it.
"""

from __future__ import annotations

from . import backend, errors, labels, sentences, tooltips

ERRORS = {**errors.TEXTS, **backend.TEXTS}  # told in English first, see ui/own_language
TEXTS = {**ERRORS, **tooltips.TEXTS, **sentences.TEXTS, **labels.TEXTS}
