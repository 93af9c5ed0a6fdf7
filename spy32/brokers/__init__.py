"""Brokers: each satisfies the ports `Orders` and `AccountDesk`. Which one is built is decided in wiring only."""
