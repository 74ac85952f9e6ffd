"""The reference mesh's geometry: checks, polygons, colours, samples of the surface; files/ reads and writes it.

Imports core only (files/ also blender); every room above imports it.
"""
