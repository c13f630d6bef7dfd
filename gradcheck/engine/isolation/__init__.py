"""Workers: processes that run a rule within limits, whatever it does."""
