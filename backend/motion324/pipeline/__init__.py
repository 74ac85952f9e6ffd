"""What one job does, from mesh and video to a folder of results, and a quick look before it.

Imports the rooms that do the work, from video to trajectories; from_video, batch and cli import it.
"""
