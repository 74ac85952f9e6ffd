"""Makes a mesh from one picture of an object: several ways behind one interface.

Imports core, mesh and view; from_video imports it. It knows nothing of videos or Blender.
"""
