"""Measures how near predicted animations come to the truth: metrics, protocols, reports.

`evaluate.evaluate` tells the story. Imports core, video, mesh, blender, view and weights; rendering, from_video, batch
and cli import it.
"""
