"""Scripts that run in the environment's Python, by their file's name; none of them is imported by Blender."""
