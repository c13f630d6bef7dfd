"""Ways of knowing, one per file: each plans and gathers one kind of evidence on a case."""
