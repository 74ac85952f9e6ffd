"""Does what is done with a trajectory once it is known: smoothing, files, the overlay on the video.

Imports core, video and view; pipeline, rendering, from_video, batch and cli import it.
"""
