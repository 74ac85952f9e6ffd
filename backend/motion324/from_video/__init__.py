"""Makes an animated, coloured mesh from a video alone, in stages whose products are kept and not made twice.

Imports every room below it but wire; batch and cli import it.
"""
