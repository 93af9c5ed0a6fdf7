"""`make proofs`: the large counts. CI runs the same code with small ones."""

import sys

from proofs import (
    calibration,
    crowd,
    flips,
    fuzz_answers,
    fuzz_chains,
    kill,
    live_kill,
    lost_answers,
    machine,
    manage_kill,
    mutants,
    null_histories,
    one_order,
    option_prices,
    restores,
    slots,
    store_kill,
    year,
)

if __name__ == "__main__":
    good = [
        calibration.main(),
        null_histories.main(),
        slots.main(),
        store_kill.main(),
        flips.main(),
        kill.main(),
        live_kill.main(),
        manage_kill.main(),
        lost_answers.main(),
        restores.main(),
        crowd.main(),
        one_order.main(),
        fuzz_chains.main(),
        fuzz_answers.main(),
        machine.main(),
        option_prices.main(),
        year.main(),
        mutants.main(),
    ]
    sys.exit(0 if all(good) else 1)
