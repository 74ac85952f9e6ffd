"""Starts Blender as a process, and holds the scripts that it is started with.

Imports core and mesh; the scripts import bpy and motion324.core only, since they run in Blender's own Python, where
motion324.core.inside_blender does for them what it does for the add-on.
"""
