"""Quality gates of market data: pure checks of a chain, one gate a function, and what they have in common."""
