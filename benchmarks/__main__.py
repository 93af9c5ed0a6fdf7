"""`make bench`: every benchmark, each a ratio within one run."""

from benchmarks import bench_options, bench_startup, bench_store

if __name__ == "__main__":
    bench_startup.main()
    bench_options.main()
    bench_store.main()
