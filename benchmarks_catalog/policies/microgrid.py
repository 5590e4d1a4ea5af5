"""Microgrid-v0: two price thresholds, and dynamic programming over the prices in sight.

* ``medium`` charges at full power below a fixed price and discharges above another, whatever wind and load do.
* ``expert`` plans at every hour: the twelve prices of the observation are certain, load and wind are taken to stay
  as they are and to return to their means, and backward dynamic programming (Bellman, 1957) over the stored
  energy on a grid of 5 kWh finds the cheapest next step. What is stored after the twelve hours counts with a
  typical price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.environments.microgrid import FEE, PRICE_HOURS, Battery
from benchmarks_catalog.policies.controller import Controller, StatelessController

if TYPE_CHECKING:
    import gymnasium
    from numpy.typing import NDArray

    from benchmarks_catalog.policies.controller import Action, Observation

    Array = NDArray[np.float64]

__all__ = ["Planner", "expert", "medium"]

_LEVELS = 41
_MEAN_NET_LOAD = 7.0  # kW
_FORGETTING = 0.9  # of the net load's distance to its mean, an hour
_STORED_VALUE = 0.11  # EUR/kWh after the prices in sight


def _as_action(power: float, battery: Battery) -> Action:
    return np.array([min(max(power / battery.power, -1.0), 1.0)], np.float32)


class Planner(Controller):
    """Receding-horizon dynamic programming; see the module's docstring."""

    def __init__(self) -> None:
        self._battery = Battery()
        self._levels = np.linspace(0.0, self._battery.capacity, _LEVELS)
        self._power, self._wear = self._moves(self._levels)

    def __call__(self, observation: Observation) -> Action:
        """The first step of the cheapest plan."""
        stored = float(observation[0]) * self._battery.capacity
        prices = np.asarray(observation[5 : 5 + PRICE_HOURS], np.float64)
        net_load = self._net_load(float(observation[1]) - float(observation[2]))
        onward = self._cost_to_go(prices[1:], net_load[1:])
        power, wear = self._moves(np.array([stored]))
        costs = self._costs(power, wear, float(prices[0]), float(net_load[0])) + onward
        return _as_action(float(power[0, costs[0].argmin()]), self._battery)

    def _net_load(self, now: float) -> Array:
        """The forecast of load less wind, kW (12,)."""
        fading: Array = _FORGETTING ** np.arange(PRICE_HOURS, dtype=np.float64)
        return _MEAN_NET_LOAD + (now - _MEAN_NET_LOAD) * fading

    def _moves(self, stored: Array) -> tuple[Array, Array]:
        """Power on the grid's side and wear of going from `stored` to every level, (len(stored), levels)."""
        change = self._levels - stored[:, None]
        efficiency = self._battery.efficiency
        power = np.where(change > 0, change / efficiency, change * efficiency)
        return power, np.abs(change) * self._battery.wear

    def _costs(self, power: Array, wear: Array, price: float, net_load: float) -> Array:
        grid = net_load + power
        cost = np.where(grid > 0, grid * (price + FEE), grid * price) + wear
        return np.where(np.abs(power) > self._battery.power, np.inf, cost)

    def _cost_to_go(self, prices: Array, net_load: Array) -> Array:
        """The least cost from the next hour on, for every level, (levels,)."""
        onward = -_STORED_VALUE * self._levels
        for price, load in zip(prices[::-1], net_load[::-1], strict=True):
            onward = (self._costs(self._power, self._wear, float(price), float(load)) + onward).min(axis=1)
        return onward


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Plans over the prices in sight."""
    return Planner()


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Charges below 6 ct/kWh, discharges above 11 ct/kWh."""
    battery = Battery()

    def rule(observation: Observation) -> Action:
        price = float(observation[5])
        return _as_action(battery.power * ((price < 0.06) - (price > 0.11)), battery)

    return StatelessController(rule)
