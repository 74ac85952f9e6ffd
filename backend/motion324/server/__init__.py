"""The side that answers: clients and their files, the queue of jobs, the process itself.

Imports core and wire, and of the reconstructors their interface; cli starts it.
"""
