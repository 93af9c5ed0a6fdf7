"""Chain files that are broken in one way each, made from the snapshot that ships, and how each must end."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from spy32.markets.recorded import SHIPPED_CHAIN

HEADING = (
    "quote_datetime", "underlying", "underlying_price", "spot_parity", "root", "expiration", "strike", "option_type",
    "bid", "ask", "last", "volume", "open_interest", "iv", "delta", "gamma", "theta", "vega",
)  # fmt: skip
Row = dict[str, str]
AS_OF = datetime.fromisoformat("2025-08-29T16:15:00-04:00")
TARGET = "2025-09-30"
SPOT = 645.05


def clean() -> list[Row]:
    """The rows of the shipped snapshot."""
    lines = gzip.decompress(SHIPPED_CHAIN.read_bytes()).decode().splitlines()
    assert lines[0] == ",".join(HEADING)
    return [dict(zip(HEADING, line.split(","), strict=True)) for line in lines[1:]]


def text_of(rows: Sequence[Row], heading: Sequence[str] = HEADING) -> str:
    return "\n".join([",".join(heading), *(",".join(row[name] for name in heading) for row in rows)]) + "\n"


def with_all(**cells: str) -> Callable[[list[Row]], list[Row]]:
    """The same cells in every row."""
    return lambda rows: [row | cells for row in rows]


def with_one(place: int, **cells: str) -> Callable[[list[Row]], list[Row]]:
    """Cells in one row only, counted from the first one below the heading."""
    return lambda rows: [row | cells if number == place else row for number, row in enumerate(rows)]


def crossed(rows: list[Row]) -> list[Row]:
    return [row | {"bid": row["ask"], "ask": row["bid"]} for row in rows]


def locked(rows: list[Row]) -> list[Row]:
    return [row | {"ask": row["bid"]} for row in rows]


def every_third_without_a_bid(rows: list[Row]) -> list[Row]:
    return [row | {"bid": "0.0"} if number % 3 == 0 else row for number, row in enumerate(rows)]


def torn_duplicates(rows: list[Row]) -> list[Row]:
    return [again for row in rows for again in (row, row | {"bid": "0.01", "ask": row["ask"]})]


def truncated(rows: list[Row]) -> list[Row]:
    """Sixteen dollars around the money, as one broker's feed sends it."""
    return [row for row in rows if abs(float(row["strike"]) - SPOT) <= 8]


def one_sided(rows: list[Row]) -> list[Row]:
    """Nothing below the money, as a cut file has it."""
    return [row for row in rows if float(row["strike"]) >= SPOT - 2]


def with_a_hole(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not SPOT - 25 <= float(row["strike"]) <= SPOT - 10]


def calls_only(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["option_type"] == "C"]


def rights_exchanged(rows: list[Row]) -> list[Row]:
    return [row | {"option_type": "P" if row["option_type"] == "C" else "C"} for row in rows]


def scrambled(rows: list[Row]) -> list[Row]:
    """Every second strike's quotes half a dollar off, as if of another moment."""
    return [
        row | {"bid": f"{float(row['bid']) + 0.5:.2f}", "ask": f"{float(row['ask']) + 0.5:.2f}"}
        if float(row["strike"]) % 2 == 0 and row["option_type"] == "C"
        else row
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class Dirt:
    """`words`: what the one line of the refusal says. `gate`: the gate that stops, for what can be read at all."""

    name: str
    data: Callable[[], bytes]
    words: str = ""
    gate: str = ""


def made(name: str, spoil: Callable[[list[Row]], list[Row]], *, words: str = "", gate: str = "") -> Dirt:
    return Dirt(name=name, data=lambda: text_of(spoil(clean())).encode(), words=words, gate=gate)


def raw(name: str, data: bytes, words: str) -> Dirt:
    return Dirt(name=name, data=lambda: data, words=words)


def lacking(*columns: str) -> Dirt:
    kept = [name for name in HEADING if name not in columns]
    return Dirt(name=f"lacks {columns}", data=lambda: text_of(clean(), kept).encode(), words=", ".join(columns))


UNREADABLE: tuple[Dirt, ...] = (
    raw("empty file", b"", "it is empty"),
    raw("heading only", ",".join(HEADING).encode() + b"\n", "has no rows"),
    raw("web page", b"<html><body>503 Service Unavailable</body></html>\n", "is not a chain file"),
    raw("other table", b"date,open,close\n2025-08-29,1,2\n", "is not a chain file"),
    raw("gzip garbage", b"\x1f\x8b\x08\x00garbage that is no gzip", "damaged gzip"),
    Dirt(name="half a gzip", data=lambda: SHIPPED_CHAIN.read_bytes()[:20_000], words="damaged gzip"),
    raw("NUL bytes", b"\x00\x01\x02\x00", "NUL bytes"),
    raw("not UTF-8", b"quote_datetime,underlying\n\xff\xfe\xfa\n", "not UTF-8"),
    Dirt(name="half a row", data=lambda: text_of(clean()).encode()[:-40], words="row 2779: 7 cells under 18 columns"),
    lacking("bid"),
    lacking("strike", "option_type"),
    Dirt(
        name="column twice",
        data=lambda: text_of(clean(), [*HEADING[:9], "bid", *HEADING[10:], "ask"]).encode(),
        words="the column 'bid' twice",
    ),
    made("text for a bid", with_one(5, bid="n/a"), words="row 7: bid is 'n/a', not a number"),
    made("infinite ask", with_one(0, ask="inf"), words="row 2: ask is 'inf', not a number"),
    made("enormous ask", with_one(0, ask="1e308"), words="row 2: ask is '1e308', more than"),
    made("negative bid", with_one(9, bid="-0.01"), words="row 11: bid is '-0.01', which is negative"),
    made("underscored ask", with_one(0, ask="2_4"), words="row 2: ask is '2_4', not a number"),
    made("half a contract", with_one(2, volume="1.5"), words="row 4: volume is '1.5', not a whole number"),
    made("no strike", with_one(3, strike=""), words="row 5: strike is '', not a strike"),
    made("NaN strike", with_one(3, strike="NaN"), words="row 5: strike is 'NaN', not a strike"),
    made("strike of 0", with_one(3, strike="0.0"), words="row 5: strike is '0.0', not a strike"),
    made("word for a right", with_one(3, option_type="call"), words="row 5: option_type is 'call', neither C nor P"),
    made("no such day", with_one(3, expiration="2025-02-30"), words="row 5: expiration is '2025-02-30', not a date"),
    made("strange root", with_one(3, root="SPY;"), words="row 5: root is 'SPY;', not an option root"),
    made("NaN spot", with_all(underlying_price="NaN"), words="underlying_price is 'NaN', not a price"),
    made("no spot", with_all(underlying_price=""), words="underlying_price is '', not a price"),
    made("spot of 0", with_all(underlying_price="0"), words="underlying_price is '0', not a price"),
    made("negative spot", with_all(underlying_price="-645"), words="underlying_price is '-645', which is negative"),
    made("two spots", with_one(4, underlying_price="645.06"), words="row 6: underlying_price is '645.06'"),
    made("two instants", with_one(4, quote_datetime="2025-08-29T16:16:00-04:00"), words="row 6: quote_datetime is"),
    made("two underlyings", with_one(4, underlying="QQQ"), words="row 6: underlying is 'QQQ'"),
    made("no zone", with_all(quote_datetime="2025-08-29T16:15:00"), words="has no zone"),
    made("no time", with_all(quote_datetime="yesterday"), words="is not a time"),
    made("year 1", with_all(quote_datetime="0001-01-01T00:00:00+14:00"), words="outside the exchange calendar"),
    made("other underlying", with_all(underlying="QQQ"), words="holds QQQ; asked for SPY"),
    made("mini options", with_all(root="SPY7"), words="no contract of root SPY; its roots are SPY7"),
)

STOPPED: tuple[Dirt, ...] = (
    made("zeros", with_all(bid="0.0", ask="0.0"), gate="dead_feed"),
    made("NaN quotes", with_all(bid="NaN", ask="NaN"), gate="dead_feed"),
    made("empty quotes", with_all(bid="", ask=""), gate="dead_feed"),
    made("every third without a bid", every_third_without_a_bid, gate="dead_feed"),
    made("crossed", crossed, gate="crossed"),
    made("locked", locked, gate="crossed"),
    made("torn duplicates", torn_duplicates, gate="dead_feed"),
    made("truncated strikes", truncated, gate="coverage"),
    made("nothing below the money", one_sided, gate="coverage"),
    made("hole", with_a_hole, gate="coverage"),
    made("calls only", calls_only, gate="coverage"),
    made("rights exchanged", rights_exchanged, gate="shape"),
    made("scrambled", scrambled, gate="shape"),
    made("spot too high", with_all(underlying_price="649.20"), gate="spot"),
    made("spot too low", with_all(underlying_price="641.00"), gate="spot"),
    made("spot of another world", with_all(underlying_price="64.505"), gate="dead_feed"),
    made("holiday clock", with_all(quote_datetime="2025-09-01T18:50:00-04:00"), gate="session"),
    made("holiday clock by day", with_all(quote_datetime="2025-09-01T11:00:00-04:00"), gate="session"),
    made("weekend clock", with_all(quote_datetime="2025-08-30T11:00:00-04:00"), gate="session"),
    made("before the open", with_all(quote_datetime="2025-08-29T09:29:59-04:00"), gate="session"),
    made("after the close", with_all(quote_datetime="2025-08-29T16:15:01-04:00"), gate="session"),
    made("open by the wrong zone", with_all(quote_datetime="2025-08-29T16:15:00-07:00"), gate="session"),
)
