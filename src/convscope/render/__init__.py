"""Arrays to pictures: colour, type, grids, overlays, pages. NumPy and Pillow only."""
