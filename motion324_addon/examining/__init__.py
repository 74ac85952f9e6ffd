"""Quick looks at the video before a job: the mask of its first frame, and from where it sees the mesh."""
