"""The `motion324` command: what its subcommands share; commands/ has them.

Imports every room but training, which `motion324 train` imports when it runs; nothing imports it.
"""
