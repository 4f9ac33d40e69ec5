"""What to ask of a network, as a frozen expression that is always maximised."""
