"""Option mathematics on arrays, without input or output. Vols are fractions a year, times years, rates continuous."""
