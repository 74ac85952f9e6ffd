"""What jobs, looks and the installation run on; it imports no other room, and all but `scene/` may import it."""
