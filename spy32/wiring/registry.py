"""Looking a name up in a registry: a dictionary that one can read."""

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K", bound=str)
T = TypeVar("T")


def find_registered(registry: Mapping[K, T], name: K, what: str) -> T:
    """The entry of this name.

    An unknown name is a defect and no error of the user's: settings and options admit only names of the registry.
    """
    if name not in registry:
        raise LookupError(f"no {what} is called {name!r}; there are {', '.join(registry)}")
    return registry[name]
