"""Chain files with something broken in them: every one ends with a verdict or one clear line, never with a NaN.

`python -m proofs.fuzz_chains [COUNT]`; a file that fails is named by its seed.
"""

import gzip
import math
import random
import sys
from collections import Counter
from collections.abc import Callable

from spy32.domain.codec import canonical_json
from spy32.errors import Spy32Error
from spy32.markets import chain_file
from spy32.markets.recorded import SHIPPED_CHAIN, RecordedMarket
from spy32.options import surface
from spy32.quality import checks, smile_gates
from spy32.sessions import years_to_expiration
from spy32.settings.model import Choice
from tests.support.snapshots import snapshot_of

Rows = list[list[str]]
STRANGE = (
    "", "NaN", "nan", "inf", "-inf", "-1", "0", "0.0", "1e308", "1e-308", "9999999999", "n/a", "None", "1,5", "−3",
    "1_0", "0x10", "١٢", " 5 ", '"7"', "C", "P", "SPY", "SPY7", "2025-13-45", "0001-01-01", "9999-12-31", "\x00",
    "\ufeff", "=1+1",
)  # fmt: skip
BID, ASK, SPOT, STRIKE, RIGHT, EXPIRATION, ROOT, CLOCK = 8, 9, 2, 6, 7, 5, 4, 0


def cells(rows: Rows, rng: random.Random) -> None:
    """Strange text in a few cells."""
    for _ in range(rng.choice((1, 3, 30))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(STRANGE)


def column(rows: Rows, rng: random.Random) -> None:
    """One strange text all down a column."""
    place, text = rng.randrange(len(rows[0])), rng.choice(STRANGE)
    for row in rows:
        row[place] = text


def noise(rows: Rows, rng: random.Random) -> None:
    """Quotes that wander by up to some share of themselves."""
    share = rng.choice((0.001, 0.02, 0.3, 3.0))
    for row in rows:
        for place in (BID, ASK):
            row[place] = f"{max(0.0, float(row[place]) * (1 + rng.uniform(-share, share))):.2f}"


def lost(rows: Rows, rng: random.Random) -> None:
    """Rows missing, at random or from somewhere on."""
    if rng.random() < 0.5:
        rows[:] = [row for row in rows if rng.random() < rng.choice((0.02, 0.5, 0.95))]
    else:
        del rows[rng.randrange(len(rows)) :]


def twice(rows: Rows, rng: random.Random) -> None:
    """Rows repeated, some with another price."""
    for row in rng.sample(rows, min(len(rows), rng.choice((1, 50, 2000)))):
        again = list(row)
        if rng.random() < 0.5:
            again[BID] = again[ASK]
        rows.insert(rng.randrange(len(rows)), again)


def scaled(rows: Rows, rng: random.Random) -> None:
    """One column of numbers multiplied."""
    place, factor = rng.choice((SPOT, STRIKE, BID, ASK)), rng.choice((0.0, 1e-6, 0.1, 0.99, 1.01, 10.0, 1e6))
    for row in rows:
        row[place] = f"{float(row[place]) * factor:g}"


def swapped(rows: Rows, rng: random.Random) -> None:
    """Two columns exchanged."""
    one, other = rng.sample(range(len(rows[0])), 2)
    for row in rows:
        row[one], row[other] = row[other], row[one]


def clock(rows: Rows, rng: random.Random) -> None:
    """The quotes at another time."""
    stamp = rng.choice(
        (
            "2025-09-01T12:00:00-04:00", "2025-08-29T03:00:00-04:00", "2025-08-29T16:15:00",
            "1991-01-02T10:00:00-05:00",
            "2025-10-31T16:00:00+00:00", "2026-08-20T10:00:00-04:00", "2099-12-31T10:00:00-05:00", "yesterday",
            "2025-09-30T16:10:00-04:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
        )
    )  # fmt: skip
    for row in rows:
        row[CLOCK] = stamp


SPOILS: tuple[Callable[[Rows, random.Random], None], ...] = (
    cells, column, noise, lost, twice, scaled, swapped, clock,
)  # fmt: skip


def spoiled(rows: Rows, heading: str, rng: random.Random) -> str:
    """The text of a file with one or two things broken, sometimes in its heading or its bytes too."""
    rows = [list(row) for row in rows]
    for _ in range(rng.choice((1, 1, 2))):
        try:
            rng.choice(SPOILS)(rows, rng)
        except (ValueError, IndexError):  # an earlier spoil left nothing to spoil
            break
    text = "\n".join([heading, *(",".join(row) for row in rows)]) + "\n"
    if rng.random() < 0.1:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(STRANGE) + text[place + rng.choice((0, 1, 500)) :]
    return text


def outcome_of(text: str) -> str:
    """What the program makes of such a file: a verdict, or the class of the refusal."""
    try:
        market = RecordedMarket(chain_file.parse_chain_file(text, "fuzzed.csv"), "recorded:fuzzed.csv")
        snapshot = snapshot_of(market)
        if isinstance(snapshot, str):
            return "no expiration"
        chain, report = checks.check_chain(snapshot, snapshot.as_of, Choice())
        canonical_json((snapshot, chain, report))  # refuses a NaN anywhere
        if report.stopped_by is not None:
            return f"stopped by {report.stopped_by.name}"
        years = years_to_expiration(snapshot.as_of, snapshot.target)
        rate = snapshot.rate.value if snapshot.rate.value is not None else 0.04
        smile = surface.build_smile(
            chain.quotes, spot=snapshot.spot, years=years, rate=rate, expiration=snapshot.target
        )
        dropped, gates = smile_gates.check_vols(smile, snapshot, Choice())
        canonical_json((dropped, gates))
        assert math.isfinite(smile.forward)
        return "usable"
    except Spy32Error as trouble:
        assert trouble.code == 65, trouble
        assert "\n" not in trouble.message.strip()
        return "refused"


def fuzz(count: int, seed: int = 0) -> Counter[str]:
    """How often each outcome came."""
    heading, *lines = gzip.decompress(SHIPPED_CHAIN.read_bytes()).decode().splitlines()
    rows = [line.split(",") for line in lines]
    found: Counter[str] = Counter()
    for number in range(seed, seed + count):
        text = spoiled(rows, heading, random.Random(number))
        try:
            found[outcome_of(text)] += 1
        except Exception:
            print(f"seed {number} ended with a bug", file=sys.stderr)
            raise
    return found


def main(count: int = 2000) -> bool:
    found = fuzz(count)
    print(
        f"{count} broken chains, no traceback and no NaN: "
        + ", ".join(f"{name} {n}" for name, n in found.most_common())
    )
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
