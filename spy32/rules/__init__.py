"""Pure decisions on values: menu, prices, plans, size, limits, conditions, price guard. Nothing here acts."""
