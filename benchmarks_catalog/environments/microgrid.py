"""``pytupli/Microgrid-v0``: a battery between a wind turbine, a village's load and the grid.

One step is an hour. The turbine's power curve is the usual cubic one, P = 40 kW ((v³ - 3³)/(12³ - 3³)) between the
cut-in speed of 3 m/s and the rated one of 12 m/s, 40 kW up to the cut-out speed of 25 m/s, else 0. The battery
holds 200 kWh and moves at most 50 kW on the grid's side; 95 % of the power survives each way (a round trip of
90 %), and every kWh of change in the stored energy wears it for 0.01 EUR::

    E' = E + 0.95 p      charging  (p > 0), as long as E' ≤ 200
    E' = E + p / 0.95    discharging (p < 0), as long as E' ≥ 0
    grid = load - wind + p

The grid sells at the day-ahead price plus a fee of 0.10 EUR/kWh and buys at the day-ahead price (which may be
negative). Parameters are our own round numbers, of the order that published studies of village microgrids use.

Action: Box(-1, 1, (1,)), the share of the 50 kW, charging above zero; clipped to what the battery can do.

Observation, float32 (17,): state of charge (0 … 1), load (kW), wind power (kW), sine and cosine of the hour, the
day-ahead prices of this hour and the next eleven (EUR/kWh).

Reward: -(cost of the grid + wear) + (change of the stored energy) x (mean price of the year), in EUR. The last term
sums up to a constant minus the value of what is left, so that an episode's end is no reason to empty the battery.

Episodes begin at midnight of a day that ``reset`` draws, at a state of charge between 0.2 and 0.8; ``options`` are
those of HVAC: ``{"month": 7}``, ``{"month": 7, "day": 14}``. 48 steps are two days; the environment itself never
ends. ``info`` holds cost (EUR, grid and wear), grid (kWh bought, negative when sold) and wear (EUR) of the step, and
the episode's month and day of the month.

The series are CSV files of 8760 rows: `wind` with hour, wind_speed_m_s; `prices` with hour, price_eur_kwh (day
ahead); `load` with hour, load_kw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from benchmarks_catalog.environments.series import read_series
from benchmarks_catalog.environments.year import HOURS, date_of, draw_day

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["FEE", "PRICE_HOURS", "Battery", "Microgrid", "grid_cost", "turbine_power"]

PRICE_HOURS = 12
FEE = 0.10  # EUR/kWh
_RATED_POWER = 40.0  # kW
_CUT_IN, _RATED, _CUT_OUT = 3.0, 12.0, 25.0  # m/s
_LARGEST_LOAD = 500.0  # kW


@dataclass(frozen=True, slots=True)
class Battery:
    """The battery's parameters; see the module's docstring."""

    capacity: float = 200.0  # kWh
    power: float = 50.0  # kW on the grid's side
    efficiency: float = 0.95  # one way
    wear: float = 0.01  # EUR for a kWh of change in the stored energy

    def feasible(self, stored: float, wanted: float) -> float:
        """The power (kW, an hour long) nearest to `wanted` that limits and stored energy (kWh) allow."""
        most = min(self.power, (self.capacity - stored) / self.efficiency)
        least = -min(self.power, stored * self.efficiency)
        return min(max(wanted, least), most)

    def change(self, power: float) -> float:
        """The kWh that an hour of `power` (kW on the grid's side) adds to the stored energy."""
        return power * self.efficiency if power > 0 else power / self.efficiency


def turbine_power(wind_speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power in kW at wind speeds in m/s."""
    rising = (wind_speed**3 - _CUT_IN**3) / (_RATED**3 - _CUT_IN**3)
    turning = (wind_speed >= _CUT_IN) & (wind_speed <= _CUT_OUT)
    return np.where(turning, _RATED_POWER * np.clip(rising, 0.0, 1.0), 0.0)


def grid_cost(energy: float, price: float) -> float:
    """EUR for `energy` kWh from the grid (negative: into it) at a day-ahead `price` in EUR/kWh."""
    return energy * (price + FEE) if energy > 0 else energy * price


class Microgrid(gymnasium.Env["NDArray[np.float32]", "NDArray[np.float32]"]):
    """See the module's docstring.

    Args:
        wind: path of the wind CSV.
        prices: path of the price CSV.
        load: path of the load CSV.

    Raises:
        FormatError: a CSV file is not what the module's docstring says.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 — Gymnasium's own declaration

    def __init__(
        self, wind: str | PathLike[str], prices: str | PathLike[str], load: str | PathLike[str]
    ) -> None:
        self._battery = Battery()
        price = read_series(prices, {"price_eur_kwh": (-5.0, 5.0)})["price_eur_kwh"]
        power = turbine_power(read_series(wind, {"wind_speed_m_s": (0.0, 100.0)})["wind_speed_m_s"])
        self._outside = self._table(
            read_series(load, {"load_kw": (0.0, _LARGEST_LOAD)})["load_kw"], power, price
        )
        self._mean_price = math.fsum(price) / HOURS
        low = [0, 0, 0, -1, -1] + [-5] * PRICE_HOURS
        high = [1, _LARGEST_LOAD, _RATED_POWER, 1, 1] + [5] * PRICE_HOURS
        self.observation_space = gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._hour = self._day = 0
        self._stored = self._battery.capacity / 2

    @staticmethod
    def _table(
        load: NDArray[np.float64], wind: NDArray[np.float64], price: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What the observation holds beside the state of charge, (8760, 16)."""
        angle = 2 * np.pi * np.arange(HOURS) / 24
        prices = [np.roll(price, -ahead) for ahead in range(PRICE_HOURS)]
        return np.stack([load, wind, np.sin(angle), np.cos(angle), *prices], axis=1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Midnight of a day; see the module's docstring for `options`."""
        super().reset(seed=seed)
        self._day = draw_day(self.np_random, options)
        self._hour = self._day * 24
        self._stored = self._battery.capacity * float(self.np_random.uniform(0.2, 0.8))
        return self._observation(), self._info(0.0, 0.0, 0.0)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One hour.

        Raises:
            ValueError: the action is not a number.
        """
        share = min(max(float(action[0]), -1.0), 1.0)
        if math.isnan(share):
            raise ValueError("An action of Microgrid-v0 is a number between -1 and 1, not NaN.")
        power = self._battery.feasible(self._stored, share * self._battery.power)
        change = self._battery.change(power)
        load, wind, price = (float(self._outside[self._hour, column]) for column in (0, 1, 4))
        grid, wear = load - wind + power, abs(change) * self._battery.wear
        cost = grid_cost(grid, price) + wear
        self._stored = min(max(self._stored + change, 0.0), self._battery.capacity)  # rounding only
        self._hour = (self._hour + 1) % HOURS
        reward = -cost + change * self._mean_price
        return self._observation(), reward, False, False, self._info(cost, grid, wear)

    def _observation(self) -> NDArray[np.float32]:
        return np.array([self._stored / self._battery.capacity, *self._outside[self._hour]], np.float32)

    def _info(self, cost: float, grid: float, wear: float) -> dict[str, Any]:
        month, day = date_of(self._day)
        return {"cost": cost, "grid": grid, "wear": wear, "month": month, "day": day}
