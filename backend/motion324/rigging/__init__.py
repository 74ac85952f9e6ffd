"""Keyframes on bones from a trajectory: onto an artist's own rig, or onto a rig that is made from the motion.

Imports core. Knows nothing of Blender, of files and of sockets: it gets and gives motion324.core.rigs.rig.
"""
