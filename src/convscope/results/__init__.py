"""Named arrays and the recipe that made them; saving and loading. No torch here."""
