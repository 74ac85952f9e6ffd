"""Finds the camera that shows the mesh as the video's first frame does; draws meshes.

The one place that needs both mesh and video; reconstructors, mesh_providers, evaluation and pipeline import it.
"""
