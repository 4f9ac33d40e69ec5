"""What is there: statistics of activations, learned weights."""
