"""The backend's own environment in the extension's folder: made, checked, repaired and removed from Blender.

Settings, batch, operators and panels may import it. `state.py` and `transitions.py` tell what is known and how it
changes; `worker.py` does the work on a thread of its own, in child processes; `runner.py` brings its events to Blender;
`drawing.py` shows them.
"""
