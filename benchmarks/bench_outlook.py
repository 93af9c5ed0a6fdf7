"""The menu of the shipped chain and the outlook of its candidates, beside pricing the scenarios' contracts once."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spy32.domain.events import EventCalendar
from spy32.domain.spreads import Menu
from spy32.options.european import build_contracts, price
from spy32.options.history import count_windows
from spy32.pipeline.collect import collect_market
from spy32.pipeline.gather import CollectRequest
from spy32.pipeline.sources import Sources
from spy32.rules import menu as menu_rules
from spy32.rules.outlook import build_market_model, fill_outlooks
from spy32.settings import Settings
from spy32.wiring.markets import find_history, load_recorded_market

CANDIDATES, ROUNDS = 20, 10
OUTLOOK_MS, SCREEN_MS = 150, 60
"""Goals, warm: history and plan numbers of 20 candidates, and the whole screen step."""


def best_ms(act: Callable[[], object]) -> float:
    """Least milliseconds of processor time of a call, warm: what other programs do meanwhile does not count."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        act()
        times.append((time.process_time() - begun) * 1000)
    return min(times)


def main() -> None:
    settings, market = Settings(), load_recorded_market("recorded")
    request = CollectRequest(
        underlying="SPY",
        settings=settings,
        now=market.as_of,
        events=lambda earnings: EventCalendar(),
        monotonic=time.monotonic,
        seconds=30,
    )
    seen = collect_market(Sources.single_source(market), request, lambda line: None).checked
    assert seen is not None

    def build() -> Menu:
        return menu_rules.build_menu(seen.chain, seen.smile, settings, rng=random.Random(1), seed=1)

    menu = build()
    many = tuple((menu.candidates * 2)[:CANDIDATES])
    menu = replace(menu, candidates=many)
    history = find_history("SPY", seen.snapshot.as_of)
    alone = best_ms(build)
    outlook = best_ms(lambda: fill_outlooks(menu, seen.snapshot, seen.smile, settings, history))
    horizon = build_market_model(seen.snapshot, seen.smile).horizon
    assert history is not None
    paths, sessions = count_windows(history, horizon), horizon.sessions
    contracts = build_contracts(is_call=True, strike=np.linspace(600, 700, paths * sessions), forward=650.0, years=0.05)
    once = best_ms(lambda: price(contracts, 0.15))
    print(
        f"menu {alone:.1f} ms; outlook of {len(many)} candidates {outlook:.1f} ms (goal {OUTLOOK_MS}), "
        f"{outlook / once:.1f} times pricing one contract at each close of {paths} paths; "
        f"together {alone + outlook:.1f} ms (goal {SCREEN_MS} for the screen step)"
    )


if __name__ == "__main__":
    main()
