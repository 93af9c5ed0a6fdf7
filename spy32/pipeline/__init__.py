"""The weekly run: one module per step; `run.py` calls them in order."""
