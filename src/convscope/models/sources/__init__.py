"""Where networks come from; each third-party library is imported in one file here."""
