"""`make bench`: every benchmark, each a ratio within one run; the exit code is 1 where a cold start misses its goal."""

import sys

from benchmarks import bench_american, bench_options, bench_outlook, bench_report, bench_startup, bench_store

if __name__ == "__main__":
    are_kept = bench_startup.main()
    bench_options.main()
    bench_american.main()
    bench_outlook.main()
    bench_report.main()
    bench_store.main()
    sys.exit(not are_kept)
