"""What is done inside of Blender's Python: reading and writing its meshes, materials and rigs, and its glTF files.

For the add-on, and for the scripts of motion324.blender, which starts Blender as a process. Whatever belongs to Blender
is handed in, and no module here imports bpy.
"""
