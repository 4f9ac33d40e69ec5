"""Training: tensors in, a trained network out."""
