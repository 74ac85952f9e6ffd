"""The fit to a prediction on a GPU: many frames at once. Only deformation_fit's reconstructor imports it."""
