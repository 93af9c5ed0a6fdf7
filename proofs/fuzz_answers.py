"""Answers of a model with something broken in them: each ends with a verdict, and what is accepted is on the menu.

`python -m proofs.fuzz_answers [COUNT]`; an answer that fails is named by its seed. Also counted: the verdicts on the
corpus, and how often the number check takes a number by chance for one that was sent.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from spy32.analysts.number_check import check_numbers
from tests.support import good_answers
from tests.support.wrong_answers import files, mutated, wrong

Chance = Callable[[random.Random], str]
DRAWS = 200
INVENTED: dict[str, Chance] = {
    "a price near spot, cents": lambda rng: f"${rng.uniform(603, 737):.2f}",
    "a price near spot, whole": lambda rng: f"{rng.uniform(603, 737):.0f}",
    "a credit, cents": lambda rng: f"${rng.uniform(0, 5):.2f}",
    "dollars a contract, whole": lambda rng: f"${rng.uniform(13, 1000):.0f}",
    "per cent to 10, one decimal": lambda rng: f"{rng.uniform(0, 10):.1f}%",
    "per cent to 100, one decimal": lambda rng: f"{rng.uniform(0, 100):.1f}%",
    "per cent to 100, whole": lambda rng: f"{rng.uniform(0, 100):.0f}%",
    "a fraction, two decimals": lambda rng: f"{rng.uniform(0, 1):.2f}",
    "a fraction, three decimals": lambda rng: f"{rng.uniform(0, 1):.3f}",
    "days to 400": lambda rng: f"{rng.randint(13, 400)} days",
    "a ratio, two decimals": lambda rng: f"{rng.uniform(0, 5):.2f}x",
    "a bare whole number to 1000": lambda rng: f"{rng.randint(13, 1000)}",
    "a day of the year": lambda rng: f"2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
}


def fuzz(count: int, seed: int = 0) -> Counter[str]:
    """How often each verdict came; AssertionError at the first that breaks a promise."""
    found: Counter[str] = Counter()
    for number in range(seed, seed + count):
        try:
            verdict = good_answers.verdict_of(mutated(random.Random(number)))
            broken = good_answers.broken_promise(verdict)
            assert broken is None, broken
        except Exception:
            print(f"seed {number} ended with a bug", file=sys.stderr)
            raise
        found[good_answers.outcome(verdict)] += 1
    return found


def corpus() -> Counter[str]:
    """The verdicts on the answers that are written down; each has to be the expected one."""
    found: Counter[str] = Counter()
    for name, text, expected in [*wrong(), *files()]:
        outcome = good_answers.outcome(good_answers.verdict_of(text))
        assert outcome == expected, f"{name}: {outcome}, not {expected}"
        found[outcome] += 1
    return found


def false_matches(draws: int = DRAWS, names: Iterable[str] = INVENTED) -> dict[str, float]:
    """Share of invented numbers that the number check lets pass, by how they are written."""
    evidence = tuple(good_answers.good()["evidence"])
    check = partial(
        check_numbers, rendered=good_answers.rendered(), chosen=good_answers.IDS[0], cited=evidence, stated=0.8
    )
    shares = {}
    for name in names:
        rng = random.Random(name)
        words = [(good_answers.good()["bull_case"], INVENTED[name](rng)) for _ in range(draws)]
        shares[name] = 1 - sum(len(check(pair).unmatched) for pair in words) / draws
    return shares


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def main(count: int = 10_000) -> bool:
    listed = corpus()
    print(f"{sum(listed.values())} written answers, each with its verdict: {told(listed)}")
    print(f"{count} broken answers, no traceback and nothing off the menu: {told(fuzz(count))}")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in false_matches().items())
    print(f"invented numbers that pass the number check: {shares}")
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
