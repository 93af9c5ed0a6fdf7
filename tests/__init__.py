"""Tests of spy32; names are sentences."""

import os

# As the program itself does: numpy's threads cost more than they gain on matrices of this size, above all where
# several workers share the cores (one bootstrap took 99 ms instead of 3).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
