"""The step and the finaliser by which the hash takes in 64-bit words, for arrays of states.

Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
(multipliers and the finaliser of SplitMix64).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FINAL_SHIFT",
    "FINAL_STEPS",
    "LANE_STEPS",
    "NAN_WORD",
    "NULL_WORD",
    "finished",
    "step",
]

# First 8 bytes of BLAKE2b of "mlops-ray/rowhash/v2/null": no value that stands for anything.
NULL_WORD: Final = np.uint64(0xEB8FB65E9CF40A81)
NAN_WORD: Final = np.uint64(0x7FF8000000000000)

# A lane each: how far a state is shifted onto itself, and what it is multiplied by.
LANE_STEPS: Final = ((np.uint64(32), np.uint64(0xBF58476D1CE4E5B9)),
                     (np.uint64(29), np.uint64(0x94D049BB133111EB)))  # fmt: skip
FINAL_STEPS: Final = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
                      (np.uint64(27), np.uint64(0x94D049BB133111EB)))  # fmt: skip
FINAL_SHIFT: Final = np.uint64(31)


def step(states: NDArray[np.uint64], words: NDArray[np.uint64]) -> None:
    """Take in a word a state, in place.

    Args:
        states: A lane each, shape ``(2, n)``.
        words: The same for both lanes, shape ``(n,)``, or a lane each, shape ``(2, n)``.
    """
    states ^= words
    for lane, (shift, multiplier) in enumerate(LANE_STEPS):
        states[lane] ^= states[lane] >> shift
        states[lane] *= multiplier


def finished(states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The states after SplitMix64's finaliser, in place: every bit depends on every bit."""
    for shift, multiplier in FINAL_STEPS:
        states ^= states >> shift
        states *= multiplier
    states ^= states >> FINAL_SHIFT
    return states
