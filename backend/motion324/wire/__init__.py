"""The wire between the two processes: sockets, the handshake, messages as bytes, and the two lanes they are sent in.

Imports core only; client and server import it.
"""
