"""Benchmarks of Enigma: python -m benchmarks, or make bench."""
