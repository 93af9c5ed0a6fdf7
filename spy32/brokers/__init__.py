"""Brokers: each satisfies `OrderGateway` and `AccountGateway`. Wiring alone decides which one is built."""
