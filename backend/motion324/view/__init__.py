"""Finds the camera that shows the mesh as the video's first frame does; draws meshes.

The one place that needs both mesh and video; trajectories, reconstructors, mesh_providers, evaluation, pipeline and
from_video import it.
"""
