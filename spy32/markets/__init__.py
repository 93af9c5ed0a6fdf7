"""Sources of market data. Each module has one class that satisfies `ports.Market`."""
