"""Writes an evaluation as one page that opens without a network. cli imports it, and from_video its templates."""
