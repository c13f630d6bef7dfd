"""The checker of certificates, a program of its own that imports nothing of gradcheck."""
