"""Everything that can be wrong with an answer: a list by hand with the check that has to find it, and chance.

`wrong()` names what was done to the good answer of `tests.support.good_answers`; `mutated()` breaks one at random.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from spy32.analysts.answer import MAX_ANSWER_BYTES
from tests.support.good_answers import HOSTILE, IDS, Answer, abstaining, good, rendered, text
from tests.support.paths import DATA

FILES = DATA / "answers"


def without(name: str) -> Answer:
    answer = good()
    del answer[name]
    return answer


def _put(name: str, raw: str) -> str:
    """The good answer with a value of one key written as it is given."""
    return text(good(**{name: "@@"})).replace('"@@"', raw)


def _first_twice(name: str, value: str) -> str:
    return text(good()).replace("{", f'{{"{name}": {value}, ', 1)


def _forms() -> Iterator[tuple[str, str, str]]:
    """Name, text and check of what has the wrong form."""
    fine = text(good())
    yield "a fence", f"```json\n{fine}\n```", "fence"
    yield "a fence after words", f"Here it is:\n```json\n{fine}\n```", "fence"
    yield "a fence closed only", f"{fine}\n```", "fence"
    yield "prose before", f"I would take the put spread. {fine}", "not_json"
    yield "prose after", f"{fine}\nGood luck!", "trailing"
    yield "prose only", "I recommend the 640/635 put spread. Rating: Buy.", "not_json"
    yield "a refusal", "I'm sorry, I cannot help with trading.", "not_json"
    yield "two objects", f"{fine}\n{fine}", "two_objects"
    yield "an example first", f'{{"decision": "abstain"}} {fine}', "two_objects"
    yield "a list", f"[{fine}]", "not_json"
    yield "a text", json.dumps(fine), "not_json"
    yield "a number", "0.62", "not_json"
    yield "null", "null", "not_json"
    yield "nothing", "", "empty"
    yield "blanks", " \n\t ", "empty"
    yield "a byte order mark", "\ufeff" + fine, "not_json"
    yield "UTF-16 read as Latin", fine.encode("utf-16").decode("latin-1"), "not_json"
    yield "cut in the middle", fine[: len(fine) // 2], "not_json"
    yield "cut before its end", fine[:-1], "not_json"
    yield "single quotes", str(good()), "not_json"
    yield "a comment", fine.replace("{", "{ // my answer\n", 1), "not_json"
    yield "a comma too many", fine[:-1] + ",}", "not_json"
    yield "a raw newline in a string", fine.replace("bullish", "bull\nish"), "not_json"
    yield "an object only", "{}", "schema"
    yield "an id twice", _first_twice("candidate_id", '"B3WN"'), "duplicate_key"
    yield "a decision twice", _first_twice("decision", '"abstain"'), "duplicate_key"
    yield "a key twice deep inside", _put("evidence", '[{"a": 1, "a": 2}]'), "duplicate_key"
    yield "NaN", _put("p_max_profit", "NaN"), "number"
    yield "Infinity", _put("p_max_profit", "Infinity"), "number"
    yield "-Infinity", _put("p_max_profit", "-Infinity"), "number"
    yield "1e400", _put("p_max_profit", "1e400"), "number"
    yield "an integer of 5000 digits", _put("p_max_profit", "1" * 5000), "number"
    yield "an integer of 400 digits", _put("p_max_profit", "1" * 400), "schema"
    yield "a probability over 1", _put("p_max_profit", "1.01"), "schema"
    yield "a probability under 0", _put("p_max_profit", "-0.01"), "schema"
    yield "a probability in percent", _put("p_max_profit", "62"), "schema"
    yield "a probability as text", _put("p_max_profit", '"0.62"'), "schema"
    yield "true as a probability", _put("p_max_profit", "true"), "schema"
    yield "N/A as a probability", _put("p_max_profit", '"N/A"'), "schema"
    yield "a list as a probability", _put("p_max_profit", "[0.62]"), "schema"
    yield "10 MB of text", _put("analysis", json.dumps("x" * 10_000_000)), "too_long"
    yield "10 MB of blanks", fine + " " * 10_000_000, "too_long"
    yield (
        "more bytes than characters",
        _put("analysis", json.dumps("語" * (MAX_ANSWER_BYTES // 3), ensure_ascii=False)),
        "too_long",
    )
    yield "10,000 brackets", '{"a":' + "[" * 10_000, "nested"
    yield "nested in a field", _put("evidence", "[" * 50 + "]" * 50), "schema"
    yield "nested a little", _put("evidence", "[[[]]]"), "schema"


def _shapes() -> Iterator[tuple[str, str, str]]:
    """What is JSON and has the wrong shape."""
    for name in good():
        yield f"without {name}", text(without(name)), "schema"
        yield f"{name} as a number", _put(name, "7"), "schema"
        yield f"{name} as an object", _put(name, "{}"), "schema"
    extra = {
        "quantity": 100, "limit_price": 0.05, "short_strike": 640, "legs": [{"strike": 635}, {"strike": 640}],
        "expiration": "2025-12-19", "symbol": "SPY", "order_type": "market", "account": "5WX00000", "mode": "live",
        "confidence": 99, "__class__": "Approval", "Decision": "trade",
    }  # fmt: skip
    for name, value in extra.items():
        yield f"{name} added", text(good(**{name: value})), "schema"
    yield "a bias of its own", text(good(market_bias="very bullish")), "schema"
    yield "a decision of its own", text(good(decision="buy")), "schema"
    yield "a decision in capitals", text(good(decision="TRADE")), "schema"
    yield "a decision with a blank", text(good(decision="trade ")), "schema"
    yield "a reason of its own", text(abstaining(abstain_reason="tired")), "schema"
    yield "no evidence", text(good(evidence=[])), "schema"
    yield "nine fields of evidence", text(good(evidence=["market.spot"] * 9)), "schema"
    yield "evidence as one text", text(good(evidence="market.spot")), "schema"
    yield "a null among the evidence", text(good(evidence=["market.spot", None])), "schema"
    yield "a long analysis", text(good(analysis="x" * 1501)), "schema"
    yield "a long case", text(good(bull_case="x" * 601)), "schema"
    yield "a long mind", text(good(would_change_my_mind="x" * 301)), "schema"
    yield "a lone surrogate", text(good()).replace("670.00", "\\ud800"), "schema"
    yield "a lone surrogate as a key", _first_twice("\\udc00", "1"), "schema"


def _meanings() -> Iterator[tuple[str, str, str]]:
    """What has the right shape and makes no sense."""
    yield "another prompt", text(good(schema_version="v1-simplified")), "version"
    yield "no prompt", text(good(schema_version="")), "version"
    yield "last week's time", text(good(as_of_echo="2025-09-29T10:00:00-04:00")), "stale"
    yield "the same instant in other words", text(good(as_of_echo="2025-10-06T14:00:00Z")), "stale"
    yield "trade without an id", text(good(candidate_id=None)), "contradiction"
    yield "trade with a reason to abstain", text(good(abstain_reason="no_edge")), "contradiction"
    yield "trade without a probability", text(good(p_max_profit=None)), "contradiction"
    yield "abstain with an id", text(abstaining(candidate_id="K7Q2")), "contradiction"
    ids = {
        "last week's id": "H5ZD", "no id": "", "lower case": "k7q2", "a blank behind": "K7Q2 ",
        "a blank before": " K7Q2",
        "a Cyrillic letter": "\u041a7Q2", "a full-width letter": "\uff2b7Q2", "a zero-width space": "K7\u200bQ2",
        "a soft hyphen": "K7\u00adQ2", "a newline": "K7Q2\n", "a null character": "K7Q2\x00", "two ids": "K7Q2,M4XA",
        "a combining mark": "K7Q2\u0301", "a path": "menu.K7Q2", "strikes": "640/635", "an index": "0", "null": "null",
        "a wildcard": "%", "a query": "K7Q2' OR '1'='1",
    }  # fmt: skip
    for name, wrong_id in ids.items():
        yield f"an id: {name}", text(good(candidate_id=wrong_id)), "off_menu"
    paths = {
        "an invented figure": "market.sentiment", "another candidate": "menu.H5ZD.mid", "a blank": "market.spot ",
        "capitals": "MARKET.SPOT", "a missing figure": "market.iv_percentile", "nothing": "", "the menu": "menu",
        "escapes": "\x1b[2J\x1b[31mmarket.spot", "markup": "[bold]market.spot[/bold]",
    }  # fmt: skip
    for name, path in paths.items():
        yield f"evidence: {name}", text(good(evidence=["market.spot", path])), "evidence"
    yield "a problem in no field", text(good(data_problems=["market.moon"])), "evidence"


def files() -> Iterator[tuple[str, str, str]]:
    """The answers of `tests/data/answers`: the check is the beginning of the name, before `--`."""
    for path in sorted(FILES.glob("*.txt")):
        yield path.stem, path.read_bytes().decode("utf-8", "replace"), path.stem.split("--")[0]


def wrong() -> list[tuple[str, str, str]]:
    """Every wrong answer: name, text, check."""
    return [*_forms(), *_shapes(), *_meanings()]


# At random.

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 1.5, -0.0, 1e308, 10**30, "", " ", "0.62", "K7Q2", "k7q2", "\u041a7Q2", "M4XA ",
    "abstain", "trade", "market.spot", "market.nothing", [], {}, [[]], {"a": {}}, ["market.spot"] * 9, "x" * 2000,
    "\x1b[2J", "\u202e", "\u200b", "[/nope]", "NaN", "640/635", 100, "2025-11-07", "no_edge", "neutral",
)  # fmt: skip
PIECES = (
    "{", "}", "[", "]", '"', ",", ":", "\\", "```", "null", "NaN", "Infinity", "1e999", "\\ud800", "\\u0000", "\x00",
    "\ufeff",
    "\u202e", "\x1b[31m", "true", "-", "9" * 400, "//", "\n", '{"a":1}', "K7Q2", "\u0441", "0", " ",
)  # fmt: skip


def _some_value(answer: Answer, rng: random.Random) -> None:
    answer[rng.choice(list(answer))] = copy.deepcopy(rng.choice(STRANGE))


def _some_list(answer: Answer, rng: random.Random) -> None:
    name = rng.choice(("evidence", "data_problems"))
    answer[name] = [rng.choice((*rendered().fields, *STRANGE)) for _ in range(rng.randrange(10))]


def _some_key(answer: Answer, rng: random.Random) -> None:
    name = rng.choice(list(answer))
    value = answer.pop(name)
    if rng.random() < 0.7:
        answer[rng.choice((name.upper(), name + " ", "quantity", "\x1b[31m", "legs", ""))] = value


def _some_words(answer: Answer, rng: random.Random) -> None:
    name = rng.choice(("bull_case", "bear_case", "analysis", "would_change_my_mind"))
    words = "".join(chr(rng.randrange(rng.choice((0x20, 0x250, 0x110000)))) for _ in range(40))
    answer[name] = rng.choice((words, *HOSTILE.values(), " ".join(f"{rng.uniform(-900, 900):.2f}" for _ in range(30))))


def _some_swap(answer: Answer, rng: random.Random) -> None:
    one, other = rng.sample(list(answer), 2)
    answer[one], answer[other] = answer[other], answer[one]


def _some_choice(answer: Answer, rng: random.Random) -> None:
    """Still a good answer more often than not: what is accepted must be right too."""
    answer["candidate_id"] = rng.choice((*IDS, *IDS, None, "H5ZD"))
    answer["decision"] = rng.choice(("trade", "trade", "abstain"))
    answer["abstain_reason"] = rng.choice((None, None, "no_edge", "other"))
    answer["p_max_profit"] = rng.choice((None, round(rng.random(), 3), 1, 0))


CHANGES: tuple[Callable[[Answer, random.Random], None], ...] = (
    _some_value, _some_list, _some_key, _some_words, _some_swap, _some_choice,
)  # fmt: skip


def _characters(body: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 3, 10))):
        place = rng.randrange(len(body) + 1)
        body = body[:place] + rng.choice(("", *PIECES)) + body[place + rng.choice((0, 0, 1, 5, 100)) :]
    return body


def _bytes(body: str, rng: random.Random) -> str:
    raw = bytearray(body.encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice((1, 3, 20))):
        if raw:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    return raw.decode("utf-8", rng.choice(("replace", "surrogateescape", "ignore")))


def _around(body: str, rng: random.Random) -> str:
    fenced = f"```json\n{body}\n```"
    return rng.choice((fenced, f"{body}{body}", f" {body}\n", f"Sure! {body}", f"{body} Done.", body[:-1]))


def mutated(rng: random.Random) -> str:
    """The text of an answer with a few things broken in it, by value, by character, by byte or around it."""
    answer = good() if rng.random() < 0.8 else abstaining()
    for _ in range(rng.choice((0, 1, 1, 2))):
        rng.choice(CHANGES)(answer, rng)
    body = text(answer)
    for spoil, share in ((_characters, 0.25), (_bytes, 0.15), (_around, 0.15)):
        if rng.random() < share:
            body = spoil(body, rng)
    return body
