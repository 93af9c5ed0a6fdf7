"""The weekly run: one module a step, and `run.py` as the one recipe."""
