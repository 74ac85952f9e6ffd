"""One module for each `motion324` command: `add_to(commands)` describes it, its `run(arguments)` does it.

They import what is heavy only when they run, so that `motion324 --help` answers at once.
"""
