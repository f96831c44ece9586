"""Every speed claim of the project has its script here; docs/benchmarks.md holds what they printed."""
