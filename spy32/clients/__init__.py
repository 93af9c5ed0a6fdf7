"""Clients of the services outside, which know their wire formats."""
