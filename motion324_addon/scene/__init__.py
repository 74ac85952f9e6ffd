"""All that reads or writes a .blend; nothing here knows of sockets, jobs or panels."""
