"""Corrections: the pins of an object, a dragged copy that becomes a pose, the earlier result that they are about.

The operators, the panels and job import it, and what keeps pins in settings.
"""
