"""The `motion324` commands, mostly one in a module: `add_to(commands)` describes it, its `run(arguments)` does it.

They import what is heavy only when they run, so that `motion324 --help` answers at once.
"""
