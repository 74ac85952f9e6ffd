"""Videos of moving meshes, drawn by a Blender process."""
