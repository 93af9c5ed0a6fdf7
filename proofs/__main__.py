"""`make proofs`: the large counts. CI runs the same code with small ones."""

import sys

from proofs import fuzz_answers, fuzz_chains, kill, slots, store_kill

if __name__ == "__main__":
    good = [slots.main(), store_kill.main(), kill.main(), fuzz_chains.main(), fuzz_answers.main()]
    sys.exit(0 if all(good) else 1)
