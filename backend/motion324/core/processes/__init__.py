"""The machine, its GPUs, and the life of a process: memory, interruption, a parent that ends."""
