"""The side that asks: starts or finds a backend, sends jobs and their files, hands on what comes back.

Imports core and wire. Blender's add-on imports this room and core, and nothing else of motion324.
"""
