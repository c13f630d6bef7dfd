"""Networks: forward equations, from which everything in `reference` is derived."""
