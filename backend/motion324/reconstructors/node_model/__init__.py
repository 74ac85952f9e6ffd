"""The compact model: nodes on the surface that follow a video. In PyTorch; its export runs without."""
