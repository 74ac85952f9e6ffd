"""Does what one job does, from mesh and video to a folder of results, and what a quick look before it tells or makes.

Imports the rooms that do the work, from video to reconstructors and mesh_providers; from_video, batch and cli import
it.
"""
