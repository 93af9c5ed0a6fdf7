"""Analysts, who choose from a menu. Each satisfies `ports.Analyst`."""
