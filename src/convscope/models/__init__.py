"""A network one can look into: loading, layers, input contract, labels, photographs."""
