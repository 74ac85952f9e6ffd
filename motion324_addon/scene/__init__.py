"""All that reads or writes a .blend; it imports no other room, and every room but `running/` may import it."""
