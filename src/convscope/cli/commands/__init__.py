"""One file per command: what it takes, what it writes, what it says."""
