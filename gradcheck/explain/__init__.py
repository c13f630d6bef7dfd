"""Search for counterexamples, and their shrinking, NumPy programs, replay and diagnosis."""
