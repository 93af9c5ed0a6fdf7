"""Proofs: what the tests try a few times, tried many times (`make proofs`)."""

import os

# As the program itself does: numpy's threads cost more than they gain on matrices of this size.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
