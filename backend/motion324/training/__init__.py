"""Training of models, on releases or on synthetic clips. Needs PyTorch; nothing here is needed to animate."""
