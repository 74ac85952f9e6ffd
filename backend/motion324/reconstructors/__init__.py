"""What turns a mesh and the frames of a video into the vertices' positions, behind one small interface."""
