"""How the two processes talk: sockets, frames of bytes, messages, what waits to be sent.

Imports core only; client and server import it.
"""
