"""What Blender's meshes and materials look like, as arrays: the add-on and the scripts that run in Blender read so.

Whatever belongs to Blender is handed in, and no module here imports bpy: numpy and the standard library are enough.
"""
