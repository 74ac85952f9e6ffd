"""Files that both processes read and write, and how no file is lost by it."""
