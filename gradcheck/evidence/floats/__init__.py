"""Evidence on floats: what users run, judged within derived allowances."""
