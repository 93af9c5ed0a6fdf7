"""Operating the desk: the schedule, locks, switches, upkeep."""
