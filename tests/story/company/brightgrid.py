"""Company B's energy management: store wind power in a battery, sell it when it pays."""

import csv
from pathlib import Path

import gymnasium
import numpy as np

HOURS = 24
CAPACITY = 4.0  # MWh


class BrightGrid(gymnasium.Env):
    """A day of a wind farm with a battery; the wind is what the farm measured, hour by hour, for a year.

    Args:
        wind: CSV with the columns ``hour`` (of the year) and ``power`` (MW).
        demand: MW that the village needs at each hour of the day.  # (24,)
    """

    def __init__(self, wind: Path, demand: np.ndarray) -> None:
        with Path(wind).open() as file:
            self._wind = np.array([float(row["power"]) for row in csv.DictReader(file)])
        self._demand = demand
        self._contract = "what the village pays is nobody's business"
        self.observation_space = gymnasium.spaces.Box(0, np.inf, (4,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)  # discharge, wait, charge

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        month = (options or {}).get("month") or int(self.np_random.integers(1, 13))
        self._start = ((month - 1) * 30 + int(self.np_random.integers(0, 30))) * HOURS
        self._hour, self._stored = 0, CAPACITY / 2
        return self._observation(), {"month": month}

    def step(self, action):
        flow = float(np.clip((int(action) - 1) * 1.0, -self._stored, CAPACITY - self._stored))
        self._stored += flow
        short = max(float(self._demand[self._hour]) + flow - self._power(), 0.0)
        self._hour += 1
        return (
            self._observation(),
            -short,
            False,
            self._hour == HOURS,
            {"month": self._start // (30 * HOURS) + 1},
        )

    def _power(self):
        return float(self._wind[(self._start + self._hour) % len(self._wind)])

    def _observation(self):
        hour = self._hour % HOURS
        return np.array([hour, self._power(), self._demand[hour], self._stored], np.float32)
