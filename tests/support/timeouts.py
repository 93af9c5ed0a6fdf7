"""How long a test waits on a machine that is loaded ten times over. Nothing here is a goal; `benchmarks` has those."""

SOON = 60.0
"""Wall seconds after which something with a deadline of its own is late: far above the deadline, far below `NEVER`."""
NEVER = 600.0
"""Wall seconds for which a broken service hangs: only a deadline of the caller ends the wait earlier."""
PATIENCE = 300.0
"""Wall seconds for a whole process of the program."""
