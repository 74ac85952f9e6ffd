"""What the runners of jobs, looks and the installation are built on: a worker thread, a queue and a timer of Blender's,
the words of states, and the last events for Copy Report. It imports no other room, and all but `scene/` may import it.
"""
