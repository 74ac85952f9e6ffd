"""Armatures and skin weights in Blender: reading them, and writing keys, without importing bpy.

For the add-on, and for the scripts of motion324.blender, which run in Blender's Python as well.
"""
