"""How near predicted animations come to the truth: metrics, protocols, reports. `evaluate.evaluate` tells the story."""
