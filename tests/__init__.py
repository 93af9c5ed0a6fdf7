"""Tests of spy32; names are sentences."""
