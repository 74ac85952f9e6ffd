"""Turns a mesh and the frames of a video into the vertices' positions, in several ways behind one small interface.

Imports core, mesh, view, weights and optical flow, and knows nothing of files, sockets or Blender; pipeline, server,
from_video, training and cli import it.
"""
