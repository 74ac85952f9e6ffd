"""The animation jobs: their states, the pure function that changes them, and what carries out the effects.

All rooms but `running/` and `scene/` may import it; only `backend.py` and `worker.py` talk to the backend.
"""
