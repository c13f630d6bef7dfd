"""Coverage of a rule's own code: which of its branches there are, which ran, and which never did."""
