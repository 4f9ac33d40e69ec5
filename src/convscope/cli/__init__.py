"""The command line: the verbs of convscope.methods, no numerics."""
