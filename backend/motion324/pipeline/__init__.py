"""Does what one job does, from mesh and video to a folder of results, and has a quick look before it.

Imports the rooms that do the work, from video to reconstructors; from_video, batch and cli import it.
"""
