"""Animates many meshes after many videos: resumable, in several processes, one result folder for each.

Imports pipeline, from_video and what stands below them; cli imports it.
"""
