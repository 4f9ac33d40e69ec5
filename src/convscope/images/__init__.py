"""What is done to pixels, by whoever: no network here."""
