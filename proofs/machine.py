"""Broker behaviours x crashes x commands in any order, in large: `tests.support.order_state_machine` runs here.

`python -m proofs.machine [EXAMPLES] [STEPS] [SEED]`. A broken invariant ends it with the fewest steps that break it.
"""

import sys

from tests.support.order_state_machine import OrderMachine, run_machine

INVARIANTS = tuple(name for name, each in vars(OrderMachine).items() if hasattr(each, "hypothesis_stateful_invariant"))
AT_REST = ("no row in flight that has ended", "fills equal", "cash equal", "positions equal", "the store is whole")
"""What is compared whenever all is quiet, and at the end of every example."""


def main(examples: int = 1500, steps: int = 50, seed: int = 32) -> bool:
    """Always True: a broken invariant is an exception."""
    seen = run_machine(examples, steps, seed)
    commands = ("execute", "execute again", "cancel", "reconcile", "manage", "close")
    started = ", ".join(f"{seen[f'{name}: started']} {name}" for name in commands)
    dead = sum(number for word, number in seen.items() if word.startswith("Crash "))
    stopped = sum(number for word, number in seen.items() if word.startswith("KeyboardInterrupt "))
    quiet, told = seen["quiet: settled"] + seen["quiet: told"], seen["quiet: told"]
    print(f"state machine: {examples} examples, {seen['steps']} steps, {len(INVARIANTS)} invariants held after each")
    print(f"  commands: {started}; died at a commit or a request: {dead}; interrupted: {stopped}")
    print(f"  books compared at rest {quiet} times ({', '.join(AT_REST)}); differences that were told instead: {told}")
    return True


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:4]))
