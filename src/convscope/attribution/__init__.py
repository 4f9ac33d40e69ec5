"""Why this answer: tensors in, maps out."""
