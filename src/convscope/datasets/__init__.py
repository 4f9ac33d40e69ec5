"""Labelled pictures: found in folders and tables, checked, and split."""
