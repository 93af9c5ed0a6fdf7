"""Who can be told: one module a way of sending notices."""
