"""Operation of a home: schedule, crontab, locks, pause and halt, status, demo."""
