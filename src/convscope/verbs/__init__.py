"""The verbs: one typed function each, returning a Result."""
