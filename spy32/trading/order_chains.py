"""Lines of orders at a broker: an order, and what replaced it, one after the other. A broker keeps each by itself."""

from collections.abc import Iterable
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder
from spy32.lifecycle import FINAL

ArrivalKey = tuple[int, str]


def arrival_key(broker_id: str) -> ArrivalKey:
    """Sorts broker ids as numbers, the oldest order first: a broker numbers orders as they arrive."""
    return len(broker_id), broker_id


class OrderChain(NamedTuple):
    """An order at the broker with everything that took its place, oldest first."""

    orders: tuple[BrokerOrder, ...]
    """As far as they are listed."""
    ids: frozenset[str]
    """With those that only their links name."""

    @property
    def first_order(self) -> BrokerOrder:
        return self.orders[0]

    @property
    def last_order(self) -> BrokerOrder:
        return self.orders[-1]

    @property
    def arrival(self) -> ArrivalKey:
        """Of the first order, so that a new price makes no line younger."""
        return min(arrival_key(broker_id) for broker_id in self.ids)

    @property
    def is_alive(self) -> bool:
        return any(broker_order.state not in FINAL for broker_order in self.orders)


def build_order_chains(broker_orders: Iterable[BrokerOrder]) -> tuple[OrderChain, ...]:
    """The lines that listed orders make, the oldest first."""
    orders = {broker_order.broker_id: broker_order for broker_order in broker_orders}
    groups: dict[str, frozenset[str]] = {}
    for broker_order in orders.values():
        linked_ids = {
            broker_order.broker_id,
            *(broker_id for broker_id in (broker_order.replaces, broker_order.replaced_by) if broker_id is not None),
        }
        merged_ids = frozenset(linked_ids.union(*(groups.get(broker_id, frozenset()) for broker_id in linked_ids)))
        groups.update(dict.fromkeys(merged_ids, merged_ids))
    chains = (
        OrderChain(tuple(orders[broker_id] for broker_id in sorted(ids & orders.keys(), key=arrival_key)), ids)
        for ids in set(groups.values())
    )
    return tuple(sorted(chains, key=lambda chain: chain.arrival))
