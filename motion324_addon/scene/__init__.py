"""All that reads or writes a .blend; it imports no other room, and every room but `runner_base/` may import it."""
