"""Where market data come from. Each module has one class that satisfies `ports.Market`."""
