"""Does what is done with a trajectory once it is known: smoothing, cutting, files, the overlay on the video.

Imports core, video, mesh and view; pipeline, rendering, from_video, batch and cli import it.
"""
