"""The interface in Simplified Chinese: drafts made by a machine, which no speaker of the language has read yet.

ui/languages imports it.
"""

from __future__ import annotations

from . import labels, sentences, tooltips

TEXTS = {**tooltips.TEXTS, **sentences.TEXTS, **labels.TEXTS}
