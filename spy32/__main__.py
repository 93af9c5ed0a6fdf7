"""The console script, which `python -m spy32` is too."""

import gc
import os


def main() -> None:
    """Run the command that was typed, without the collector looking for cycles among what a start makes.

    A start makes some hundred thousand objects that all stay; looking through them costs 7 % of it, and once more 12 %
    at its end, where nothing is left to be freed: memory goes back as a whole.
    """
    gc.set_threshold(100_000)
    # numpy's threads take 0.14 s of processor time in an `analyze`, and its matrices are too small to gain by them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from spy32.cli import main as run

    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
