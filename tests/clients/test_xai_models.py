"""What a request to xAI costs and which efforts a model takes, against published bills and prices."""

import re

import pytest

from spy32.clients.xai_models import MODELS, TICKS_PER_DOLLAR, check_effort, estimate_ticks, find_model, format_cost
from spy32.errors import BadSettings
from tests.servers import xai as wire


def test_the_published_bill_is_met_to_the_tick() -> None:
    assert estimate_ticks("grok-4.3", 204, 80, cached_tokens=128) == 3_206_000
    assert wire.usage(204, 128, 80, model="grok-4.3")["cost_in_usd_ticks"] == 3_206_000


def test_prices_are_dollars_a_million_tokens() -> None:
    published = {
        "grok-4.7": ("2.00", "0.50", "6.00"),
        "grok-4.6": ("2.00", "0.50", "6.00"),
        "grok-4.3": ("1.25", "0.20", "2.50"),
        "grok-4.20-0309-reasoning": ("1.25", "0.20", "2.50"),
    }
    for model, prices in published.items():
        fresh, cached, out = (round(float(price) * TICKS_PER_DOLLAR) for price in prices)
        tenth = 100_000
        assert estimate_ticks(model, tenth, 0) * 10 == fresh
        assert estimate_ticks(model, tenth, 0, cached_tokens=tenth) * 10 == cached
        assert estimate_ticks(model, 0, tenth) * 10 == out


def test_a_long_prompt_costs_double() -> None:
    assert estimate_ticks("grok-4.7", 200_000, 10) == 2 * (200_000 * 20_000 + 10 * 60_000)
    assert estimate_ticks("grok-4.7", 199_999, 10) == 199_999 * 20_000 + 10 * 60_000


def test_an_unknown_model_counts_as_the_dearest() -> None:
    assert estimate_ticks("grok-99", 1_000, 1_000) == max(estimate_ticks(name, 1_000, 1_000) for name in MODELS)


def test_dollars_are_exact() -> None:
    assert format_cost(3_206_000) == "$0.0003"
    assert format_cost(412_345_678) == "$0.0412"
    assert format_cost(12 * TICKS_PER_DOLLAR) == "$12.0000"


# Efforts.


@pytest.mark.parametrize(
    ("model", "effort", "is_taken"),
    [
        ("grok-4.7", "high", True), ("grok-4.7", "none", False), ("grok-4.7", "xhigh", False),
        ("grok-4.7-latest", "none", False), ("grok-4.6", "xhigh", True), ("grok-4.5", "none", False),
        ("grok-4.3", "none", True), ("grok-4.3-0410", "xhigh", False), ("grok-4.20-0309-reasoning", "low", False),
        ("grok-4.20-0309-non-reasoning", "none", False), ("grok-4.20-0309-reasoning", "model", True),
        ("grok-4.20-multi-agent-0309", "low", True), ("grok-3-mini", "medium", False), ("grok-99", "xhigh", True),
        ("grok-4.70", "xhigh", True),
    ],
)  # fmt: skip
def test_an_effort_is_checked_by_the_table(model: str, effort: str, is_taken: bool) -> None:
    if is_taken:
        check_effort(model, effort, ())
    else:
        with pytest.raises(BadSettings, match=re.escape(model) + r".*xai\.effort"):
            check_effort(model, effort, ())


def test_the_setting_replaces_the_table() -> None:
    check_effort("grok-4.7", "xhigh", ("high", "xhigh"))
    with pytest.raises(BadSettings, match="to xhigh or model"):
        check_effort("grok-4.7", "high", ("xhigh",))


def test_a_family_is_found_by_its_longest_name() -> None:
    assert find_model("grok-4.20-multi-agent-0309") is MODELS["grok-4.20-multi-agent"]
    assert find_model("grok-4.20-0309-reasoning") is MODELS["grok-4.20"]
