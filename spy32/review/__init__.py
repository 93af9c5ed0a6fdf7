"""Looks back: what came of each decision, how good the stated probabilities were, and what the comparisons show."""
