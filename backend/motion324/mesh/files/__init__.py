"""Reads and writes mesh files: glTF, OBJ, PLY, STL, and others through Blender.

Imports core, mesh and blender; view and all above may import it.
"""
