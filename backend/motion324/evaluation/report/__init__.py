"""An evaluation as one page that opens without a network."""
