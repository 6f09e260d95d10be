"""Benchmarks: `make bench` prints one JSON line for each figure. Nothing here fails by a time."""
