"""How alike rendered videos of truth and prediction look."""
