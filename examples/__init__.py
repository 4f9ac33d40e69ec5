"""The works that convscope was made after, each reproduced by one command: python -m examples.calvino build/calvino."""
