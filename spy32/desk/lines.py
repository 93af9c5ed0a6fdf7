"""Lines of orders at a broker: an order, and what replaced it, one after the other. A broker keeps each by itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from spy32.domain.acting import BrokerOrder
from spy32.lifecycle import FINAL

Age = tuple[int, str]


def age_of(broker_id: str) -> Age:
    """Sorts broker ids as numbers, the oldest order first: a broker numbers orders as they arrive."""
    return len(broker_id), broker_id


@dataclass(frozen=True, slots=True)
class Line:
    """An order at the broker with everything that took its place, oldest first."""

    orders: tuple[BrokerOrder, ...]
    """As far as they are listed."""
    ids: frozenset[str]
    """With those that only their links name."""

    @property
    def root(self) -> BrokerOrder:
        return self.orders[0]

    @property
    def last(self) -> BrokerOrder:
        return self.orders[-1]

    @property
    def age(self) -> Age:
        """Of the first order, so that a new price makes no line younger."""
        return min(age_of(number) for number in self.ids)

    @property
    def is_alive(self) -> bool:
        return any(seen.state not in FINAL for seen in self.orders)


def lines_of(listed: Iterable[BrokerOrder]) -> tuple[Line, ...]:
    """The lines that listed orders make, the oldest first."""
    orders = {seen.broker_id: seen for seen in listed}
    groups: dict[str, frozenset[str]] = {}
    for seen in orders.values():
        linked = {seen.broker_id, *(number for number in (seen.replaces, seen.replaced_by) if number is not None)}
        merged = frozenset(linked.union(*(groups.get(number, frozenset()) for number in linked)))
        groups.update(dict.fromkeys(merged, merged))
    found = (
        Line(tuple(orders[number] for number in sorted(ids & orders.keys(), key=age_of)), ids)
        for ids in set(groups.values())
    )
    return tuple(sorted(found, key=lambda line: line.age))
