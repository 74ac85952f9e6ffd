"""A mesh from one picture of an object: several ways behind one interface."""
