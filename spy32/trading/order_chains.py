"""Chains of orders at a broker: an order and its replacements. The broker lists each of them as a separate order."""

from collections.abc import Iterable
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder
from spy32.lifecycle import FINAL

ArrivalKey = tuple[int, str]


def arrival_key(broker_id: str) -> ArrivalKey:
    """Return a sort key that orders broker ids by number, oldest first: a broker numbers orders as they arrive."""
    return len(broker_id), broker_id


class OrderChain(NamedTuple):
    """An order at the broker with its replacements, oldest first."""

    orders: tuple[BrokerOrder, ...]
    """The orders of the chain that the broker listed."""
    ids: frozenset[str]
    """All broker ids of the chain, with those that are only named by a link."""

    @property
    def first_order(self) -> BrokerOrder:
        return self.orders[0]

    @property
    def last_order(self) -> BrokerOrder:
        return self.orders[-1]

    @property
    def arrival(self) -> ArrivalKey:
        """Arrival of the first order, so a new price does not make a chain younger."""
        return min(arrival_key(broker_id) for broker_id in self.ids)

    @property
    def is_alive(self) -> bool:
        return any(broker_order.state not in FINAL for broker_order in self.orders)


def build_order_chains(broker_orders: Iterable[BrokerOrder]) -> tuple[OrderChain, ...]:
    """Return the chains that the listed orders form, oldest first."""
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
