"""Evidence without rounding: formal, modular, enclosures and digits."""
