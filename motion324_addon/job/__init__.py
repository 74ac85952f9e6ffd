"""The animation jobs: their states, the pure function that changes them, and what carries out the effects.

All rooms but `runner_base/` and `scene/` may import it; only `backend.py` and `worker.py` talk to the backend.
"""
