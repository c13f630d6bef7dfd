"""What must hold before a claim is judged: purity, live problems, oracles that agree."""
