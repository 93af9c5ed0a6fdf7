"""spy32: a weekly SPY credit-spread desk for the command line."""

__version__ = "0.3.0"
