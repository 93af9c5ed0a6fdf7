"""One `Settings` and where each value came from. `resolve` is pure; wiring reads files and environment."""

from spy32.settings.model import Environment, Locations, Profile, Secret, Settings

__all__ = ["Environment", "Locations", "Profile", "Secret", "Settings"]
