"""Benches of the whole daemon: pxtrd on one core, a generator on the other, shared memory between.

`perf/run.sh` starts it (`python3 -m rig NAME`), with hugepages reserved and binaries built. A bench is a
module with `run(options)` that returns metrics.
"""
