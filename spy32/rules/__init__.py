"""Pure judgements on values: menu, prices, plans, size, limits, conditions, drift. Nothing here acts."""
