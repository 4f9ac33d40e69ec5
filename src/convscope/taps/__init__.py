"""Record what flows through named layers; leave the network as it was found."""
