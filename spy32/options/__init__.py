"""Pure option mathematics on arrays. Vols are fractions a year, times are years, rates continuous."""
