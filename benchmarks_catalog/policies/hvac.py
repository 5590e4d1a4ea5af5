"""HVAC-v0: a thermostat, a human operator, and a controller with a model and forecasts.

* ``medium`` is the thermostat of an old building: full power as soon as the indoor temperature leaves a dead band
  of 2 K about its set points, day and night, until it is back.
* ``expert`` inverts the documented thermal model: it keeps the (hidden) mass's temperature by running the model
  alongside, a Luenberger observer without correction, and asks for exactly the power that brings the air to a
  target by the end of the step. The target is the near edge of the comfort band, from three quarters of an hour
  before people come until they go. It does not shift load to cheap hours: storing heat in the mass was tried and
  lost more through the walls than the prices' spread is worth.
* ``operator`` is human-like: somebody who comes at seven and goes at six, looks at the thermometer when there is
  time, picks one of few positions of the knob, and otherwise leaves it where it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.environments.hvac import Building, coefficient_of_performance, comfort_band
from benchmarks_catalog.policies.controller import Controller

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["ModelBased", "Operator", "Thermostat", "expert", "medium", "operator"]

_STEP = 0.25  # h
_OPENING, _CLOSING = 8.0, 18.0  # h
_HEAD_START = 0.75  # h
_MARGIN = 0.05  # K


def _as_action(share: float) -> Action:
    return np.array([min(max(share, -1.0), 1.0)], np.float32)


def _hour(observation: Observation) -> float:
    """The hour of the day, 0 … 23.75."""
    angle = math.atan2(float(observation[5]), float(observation[6]))
    return round(angle / (2 * math.pi) * 96) % 96 / 4


class Thermostat(Controller):
    """Heats below `heat_below`, cools above `cool_above`, and goes on until it is `dead_band` beyond."""

    def __init__(self, heat_below: float, cool_above: float, dead_band: float) -> None:
        self._heat_below, self._cool_above, self._dead_band = heat_below, cool_above, dead_band
        self._mode = 0.0

    def __call__(self, observation: Observation) -> Action:
        """Full power or none."""
        indoor = float(observation[0])
        if indoor < self._heat_below:
            self._mode = 1.0
        elif indoor > self._cool_above:
            self._mode = -1.0
        elif self._has_arrived(indoor):
            self._mode = 0.0
        return _as_action(self._mode)

    def _has_arrived(self, indoor: float) -> bool:
        heated = self._mode > 0 and indoor > self._heat_below + self._dead_band
        return heated or (self._mode < 0 and indoor < self._cool_above - self._dead_band)

    def reset(self, seed: int | None = None) -> None:  # noqa: ARG002 — nothing random
        """Switched off."""
        self._mode = 0.0


class ModelBased(Controller):
    """Holds the near edge of the comfort band with the least power; see the module's docstring."""

    def __init__(self) -> None:
        self._building = Building()
        self._mass: float | None = None

    def reset(self, seed: int | None = None) -> None:  # noqa: ARG002 — nothing random
        """The mass is taken to be as warm as the air at first."""
        self._mass = None

    def __call__(self, observation: Observation) -> Action:
        """The share of the power that brings the air to its target by the end of the step."""
        air, outdoor, sun, occupied = (float(value) for value in observation[:4])
        mass = air if self._mass is None else self._mass
        free = 2.2 if occupied else 0.3  # kW from people and machines
        idle, _ = self._after(air, mass, outdoor, sun, free)
        by_kilowatt = self._after(air, mass, outdoor, sun, free + 1)[0] - idle
        heat = self._wanted_change(observation, idle) / by_kilowatt
        share = self._share(heat, outdoor)
        moved = share * self._full_heat(outdoor, heating=share > 0)
        self._mass = self._after(air, mass, outdoor, sun, free + moved)[1]
        return _as_action(share)

    def _after(self, air: float, mass: float, outdoor: float, sun: float, heat: float) -> tuple[float, float]:
        return self._building.after(air, mass, outdoor, heat, sun / 1000, 15)

    def _wanted_change(self, observation: Observation, idle: float) -> float:
        """K that the heat pump shall move the air at the end of the step, where it would be at `idle`."""
        low, high = self._targets(observation)
        return max(low - idle, 0.0) + min(high - idle, 0.0)

    def _targets(self, observation: Observation) -> tuple[float, float]:
        """The lowest and the highest temperature to end the step at, °C."""
        low, high = comfort_band(occupied=self._is_prepared(observation))
        return low + _MARGIN, high - _MARGIN

    def _is_prepared(self, observation: Observation) -> bool:
        """People are there at the end of the step, or come soon."""
        hour = _hour(observation) + _STEP
        workday = bool(observation[3]) or bool(observation[7])
        return workday and _OPENING - _HEAD_START <= hour < _CLOSING

    def _full_heat(self, outdoor: float, *, heating: bool) -> float:
        return self._building.pump_power * coefficient_of_performance(outdoor, heating=heating)

    def _share(self, heat: float, outdoor: float) -> float:
        return min(max(heat / self._full_heat(outdoor, heating=heat > 0), -1.0), 1.0)


class Operator(Controller):
    """Turns a knob with seven positions now and then, by feeling.

    Args:
        attention: the chance that somebody looks at the thermometer in a quarter of an hour of presence.
        seed: where the stream of looks begins.
    """

    def __init__(self, attention: float = 0.5, seed: int = 0) -> None:
        self._attention = attention
        self.reset(seed)

    def reset(self, seed: int | None = None) -> None:
        """The knob at zero; a seed restarts the looks."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._knob = 0.0

    def __call__(self, observation: Observation) -> Action:
        """Where the knob stands."""
        hour, looks = _hour(observation), self._random.random() < self._attention
        workday = bool(observation[3]) or bool(observation[7])
        if hour >= _CLOSING:
            self._knob = 0.0
        elif workday and hour >= _OPENING - 1 and looks:
            self._knob = self._position(float(observation[0]) + float(self._random.normal(0, 0.3)))
        return _as_action(self._knob)

    def _position(self, felt: float) -> float:
        """In thirds of the power; the middle of what people like is 22 °C, and 1 K off is not felt."""
        error = 22.0 - felt
        return 0.0 if abs(error) < 1 else round(min(max(error / 2, -1.0), 1.0) * 3) / 3


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Model and forecasts."""
    return ModelBased()


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """A thermostat that knows neither schedule nor price."""
    return Thermostat(heat_below=20.5, cool_above=23.5, dead_band=2.0)


def operator(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Human-like."""
    return Operator()
