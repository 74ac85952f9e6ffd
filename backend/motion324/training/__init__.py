"""Training of models on synthetic data. Needs PyTorch; nothing here is needed to animate."""
