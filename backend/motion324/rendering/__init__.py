"""Draws videos of moving meshes by a Blender process.

Imports core, video, mesh, blender, trajectories and evaluation; from_video and cli import it.
"""
