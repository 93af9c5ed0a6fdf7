"""Wire formats: what the services outside speak."""
