"""Makes a mesh from one picture of an object: several ways behind one interface.

Imports core, mesh and view; pipeline and from_video import it. It knows nothing of videos or Blender.
"""
