"""What a person decides after a run, and what becomes of it: approve, execute, reconcile, manage."""
