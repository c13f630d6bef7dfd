"""Evidence on floats, judged within derived rounding allowances."""
