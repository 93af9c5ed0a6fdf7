"""Who may choose from a menu. Each satisfies `ports.Analyst`."""
