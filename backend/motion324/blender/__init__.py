"""Starts Blender as a process, and holds the scripts that run inside it.

Imports core and mesh; the scripts import bpy and nothing of motion324, since they run in Blender's own Python.
"""
