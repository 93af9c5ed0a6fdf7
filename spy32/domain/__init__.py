"""The nouns of spy32 in the order in which data flows. Plain values: no numpy, no clock, no files."""
