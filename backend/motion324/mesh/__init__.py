"""The reference mesh: reading, surface sampling, normalisation, view alignment."""
