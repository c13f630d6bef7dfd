"""Files: what is kept between runs, in one format, read as untrusted data."""
