"""Timing several things against each other in one run, taking turns, so that a noisy machine disturbs all alike."""

import statistics
import time
from collections.abc import Callable, Mapping


def in_turns(work: Mapping[str, Callable[[], object]], rounds: int = 9) -> dict[str, float]:
    """The median seconds of each piece of work, over rounds in which each is done once; one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, do in work.items():
            start = time.perf_counter()
            do()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
