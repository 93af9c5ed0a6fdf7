"""What the report reads: many rows at once, and of a body only what is needed. No value is decoded for each run."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.spreads import MULTIPLIER
from spy32.domain.units import Dollars, Price
from spy32.domain.value import value
from spy32.records.base import Database
from spy32.records.encoding import decode_row, e4_to_dollars, format_day_start
from spy32.records.proposals import HIDDEN_ANSWERS, UNDECIDED_RUNS

_ORIGINS = """select trade.id, proposal.profile, json_extract(proposal.body, '$.strategy') as strategy,
    json_extract(proposal.body, '$.chosen_by') as analyst, answer.prompt, json_extract(line, '$.vix') as vix,
    json_extract(line, '$.dte') as dte, max(abs(json_extract(candidate.body, '$.short.delta')),
        coalesce(abs(json_extract(candidate.body, '$.calls[0].delta')), 0)) as short_delta,
    json_extract(candidate.body, '$.outlook.plan.history.probabilities.profit') as stated, settlement_e4
    from trade join proposal on proposal.id = trade.proposal_id
    left join snapshot on snapshot.run_id = trade.run_id
    left join candidate on candidate.run_id = trade.run_id
        and candidate.candidate_id = json_extract(proposal.body, '$.candidate_id')
    left join outcome on outcome.run_id = trade.run_id and outcome.candidate_id = candidate.candidate_id
    left join (select run_id, analyst, json_extract(body, '$.prompt') as prompt, max(id) from answer
        where role = 'chosen' group by run_id) as answer
        on answer.run_id = trade.run_id and answer.analyst = json_extract(proposal.body, '$.chosen_by')
    where trade.opened_at >= ?"""
# A resting target was decided at no mid of its own.
_SLIPPAGES = """select coalesce(proposal.trade_id, trade.id), filled, json_extract(approval.body, '$.mid'),
    sum(price_e4 * fill.quantity * iif(action like 'Sell%', 1, -1))
    from broker_order join approval on approval.id = broker_order.approval_id
    join proposal on proposal.id = broker_order.proposal_id join fill on fill.order_id = broker_order.id
    left join trade on trade.proposal_id = proposal.id
    where broker_order.kind <> 'target' and filled > 0 group by broker_order.id"""
# With max(id), SQLite takes the other columns from that row. Options trade at hours of one date in UTC.
_DAILY_MARKS = """select trade_id, substr(at, 1, 10) as day, json_extract(body, '$.unrealized'), max(id) from mark
    where json_array_length(body, '$.flags') = 0 and json_extract(body, '$.mid') is not null
    group by trade_id, day order by day"""
_PARTLY_CLOSED = """select trade.id from trade where closed_quantity between 1 and trade.quantity - 1
    union select coalesce(proposal.trade_id, trade.id) as trade_id from fill
        join broker_order on broker_order.id = fill.order_id join proposal on proposal.id = broker_order.proposal_id
        left join trade on trade.proposal_id = proposal.id where broker_order.kind <> 'entry'
        group by trade_id having count(distinct substr(fill.at, 1, 10)) > 1
    union select trade_id from adoption"""
_RUN_OUTCOMES = """select coalesce(cause, outcome, 'unfinished') as ending, count(*) from run where started_at >= ?
    group by ending order by count(*) desc, ending"""
_ACCOUNT = """select json_extract(ruling, '$.account.net_liquidation') from run
    where started_at >= ? and json_extract(ruling, '$.account.net_liquidation') is not null order by id limit 1"""
_LONGEST_LIFE = """select max(julianday(expiration) - julianday(substr(started_at, 1, 10)))
    from outcome join run on run.id = outcome.run_id where started_at >= ?"""
_MENUS = """select json_extract(line, '$.expiration') as expiration,
    ifnull(json_extract(line, '$.is_recorded'), 0) as is_recorded, sum(candidates) as candidates,
    sum(ifnull(known, 0)) as known, sum(ifnull(computed, 0)) as computed
    from (select run_id, count(*) as candidates from candidate group by run_id) as menu
    join run on run.id = menu.run_id join snapshot on snapshot.run_id = menu.run_id
    left join (select run_id, count(*) as computed, count(expiry_e4) as known from outcome group by run_id) as outcomes
        on outcomes.run_id = menu.run_id
    where started_at >= ? group by 1, 2"""
_STATED = """select substr(started_at, 1, 10), worthless, worthless_market, worthless_history
    from outcome join run on run.id = outcome.run_id where worthless is not null and started_at >= ?
    order by outcome.run_id"""
_PICKS = """select substr(started_at, 1, 10), 1.0 * picked.expiry_e4 / picked.max_loss_e4, menu.mean
    from (select run_id, json_extract(body, '$.candidate_id') as candidate_id, max(id) from answer
        where role = 'chosen' group by run_id) as choice
    join run on run.id = choice.run_id
    join outcome as picked on picked.run_id = choice.run_id and picked.candidate_id = choice.candidate_id
    join (select run_id, avg(1.0 * expiry_e4 / max_loss_e4) as mean from outcome group by run_id
        having count(expiry_e4) = count(*)) as menu on menu.run_id = choice.run_id
    where started_at >= ? order by choice.run_id"""
_ANSWERS = f"""select answer.run_id, substr(started_at, 1, 10) as day, answer.analyst, decision,
    json_extract(answer.body, '$.prompt') as prompt,
    coalesce(json_extract(answer.body, '$.model_asked'), json_extract(answer.body, '$.model')) as model,
    json_extract(answer.body, '$.candidate_id') as candidate_id, json_extract(answer.body, '$.probability') as stated,
    coalesce(json_array_length(answer.body, '$.vetoes'), 0) as vetoes,
    coalesce(json_array_length(answer.body, '$.numbers.unmatched'), 0) as unmatched,
    iif(outcome.strategy like '%debit%', null, worthless) as worthless
    from answer join run on run.id = answer.run_id
    left join outcome on outcome.run_id = run.id
        and outcome.candidate_id = json_extract(answer.body, '$.candidate_id')
    where role in ('chosen', 'shadow') and started_at >= ? and answer.id not in ({HIDDEN_ANSWERS}) order by answer.id"""
_REQUESTS = f"""select model, prompt, ms, coalesce(input_tokens, 0) + coalesce(output_tokens, 0),
    iif(ended_at is null, estimate_ticks, cost_ticks)
    from attempt where begun_at >= ? and (role = 'chosen' or role = 'shadow' and run_id not in ({UNDECIDED_RUNS}))"""


@value
class TradeOrigin:
    """What a trade was decided on. None where it is not on record."""

    profile: str
    strategy: str
    analyst: str
    prompt: str | None
    vix: float | None
    dte: int | None
    short_delta: float | None
    """Absolute; of an iron condor the larger one."""
    stated: float | None
    """Probability of profit under the plan by history."""
    settlement: Price | None
    """Official price at the expiration."""


class StatedAnswer(NamedTuple):
    """One answer of an analyst, and what came of its choice."""

    run_id: int
    day: str
    analyst: str
    decision: str
    prompt: str | None
    """None of a rule."""
    model: str | None
    candidate_id: str | None
    stated: float | None
    vetoes: int
    unmatched: int
    worthless: int | None
    """1 when its choice expired worthless, 0 when not; None while that is not known, and of a debit spread, whose
    largest profit is another event."""


class Request(NamedTuple):
    """What one request to a model took."""

    model: str
    prompt: str
    ms: int | None
    tokens: int
    cost_ticks: int


class StatedCandidate(NamedTuple):
    """A candidate whose expiration is known, and its probabilities of expiring worthless."""

    day: str
    """Of the run."""
    worthless: int
    market: float | None
    history: float | None


class MenuCounts(NamedTuple):
    """The candidates of one expiration."""

    expiration: date
    is_recorded: bool
    """Of a recorded market, which has its own time."""
    candidates: int
    known: int
    """What holding them to expiration came to is known."""
    computed: int
    """They have an outcome, be it an open one."""


class Pick(NamedTuple):
    """What came of a run's pick and, on average, of its menu at expiration, shares of the maximum loss."""

    day: str
    result: float
    menu_mean: float


class ReportRows:
    """Reads the rows of the runs that started, and of the trades that were opened, on a New York day or later."""

    def __init__(self, core: Database, since: date | None) -> None:
        self._core = core
        self._start = format_day_start(since) if since is not None else ""

    def run_outcomes(self) -> dict[str, int]:
        """Return the runs by the cause of their outcome, or by the outcome where it has none; most first."""
        return {row[0]: row[1] for row in self._core.rows(_RUN_OUTCOMES, self._start)}

    def account(self) -> Dollars | None:
        """Return the net liquidation at the first run that read it."""
        row = self._core.row(_ACCOUNT, self._start)
        return Decimal(row[0]) if row is not None else None

    def menus(self) -> list[MenuCounts]:
        """Return the candidates of all menus by their expiration."""
        return [
            MenuCounts(date.fromisoformat(row[0]), bool(row[1]), *row[2:])
            for row in self._core.rows(_MENUS, self._start)
        ]

    def longest_life(self) -> int:
        """Return the most days from a run to an expiration on its menu; 0 without outcomes."""
        return int(self._core.total(_LONGEST_LIFE, self._start))

    def origins(self) -> dict[int, TradeOrigin]:
        """Return what each trade was decided on, by its id."""
        return {row["id"]: decode_row(TradeOrigin, row, "trade") for row in self._core.rows(_ORIGINS, self._start)}

    def slippages(self) -> dict[int, Dollars]:
        """Return what all orders of each trade lost against the mids at their approvals, dollars."""
        found: dict[int, Decimal] = {}
        for trade_id, spreads, mid, received in self._core.rows(_SLIPPAGES):
            if mid is not None:
                lost = (Decimal(mid) * spreads - e4_to_dollars(received)) * MULTIPLIER
                found[trade_id] = found.get(trade_id, Decimal(0)) + lost
        return found

    def daily_marks(self) -> list[tuple[int, date, Dollars]]:
        """Return the last usable mark of each trade and day, as trade id, day and unrealised result, by day."""
        rows = self._core.rows(_DAILY_MARKS)
        return [(row[0], date.fromisoformat(row[1]), Decimal(row[2])) for row in rows if row[2] is not None]

    def partly_closed(self) -> frozenset[int]:
        """Return the trades whose result became final on more than one day, or by an adoption."""
        return frozenset(row[0] for row in self._core.rows(_PARTLY_CLOSED))

    def stated_probabilities(self) -> list[StatedCandidate]:
        """Return every candidate whose expiration is known, by run."""
        return [StatedCandidate(*row) for row in self._core.rows(_STATED, self._start)]

    def picks(self) -> list[Pick]:
        """Return the pick of each run whose whole menu is known, by run."""
        return [Pick(*row) for row in self._core.rows(_PICKS, self._start)]

    def answers(self) -> list[StatedAnswer]:
        """Return the answers that decided a run or shadowed it, oldest first, without the hidden ones."""
        return [StatedAnswer(*row) for row in self._core.rows(_ANSWERS, self._start)]

    def requests(self) -> list[Request]:
        """Return the requests to models, without those of a replay and those for hidden answers."""
        return [Request(*row) for row in self._core.rows(_REQUESTS, self._start)]
