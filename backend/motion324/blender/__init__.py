"""Starts Blender as a process, and holds the scripts that run inside it.

Imports core and mesh; the scripts import bpy and motion324.core only, since they run in Blender's own Python.
"""
