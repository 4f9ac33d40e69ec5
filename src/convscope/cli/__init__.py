"""The command line: the verbs of convscope.verbs, no numerics."""
