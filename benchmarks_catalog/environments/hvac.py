"""``pytupli/HVAC-v0``: heating and cooling of a small office with a heat pump under a dynamic electricity price.

Two thermal nodes (a "2R2C" model and one window), the indoor air with its furniture i and the building's mass m,
C in kWh/K, R in K/kW, heat flows in kW::

    C_i dT_i/dt = (T_m - T_i)/R_im + (T_o - T_i)/R_io + Q_pump + Q_people + 0.4 A g
    C_m dT_m/dt = (T_i - T_m)/R_im + (T_o - T_m)/R_mo + 0.6 A g

with the outdoor temperature T_o (°C), the irradiance g (kW/m²) and an effective window area A. The structure is the
one that Bacher & Madsen identify ("Identifying suitable models for the heat dynamics of buildings", Energy and
Buildings 43, 2011); the numbers are our own, rounded, for an office of about 200 m². Explicit Euler steps of one
minute, fifteen of them to a step of the environment.

The heat pump turns electric power P into heat: Q_pump = +COP P when heating, -COP P when cooling. Its COP is 45 %
of Carnot's, COP = 0.45 T_hot / (T_hot - T_cold) in kelvin, between 1.5 and 6: heating from T_o to water of 35 °C;
cooling at water of 12 °C to T_o + 10 °C counts the cold side, 0.45 T_cold / (T_hot - T_cold).

Action: Box(-1, 1, (1,)), the share of the 3 kW electric power, cooling below zero and heating above; clipped.

Observation, float32 (14,): indoor temperature, outdoor temperature (°C), irradiance (W/m²), occupied (0/1), price
(EUR/kWh), sine and cosine of the hour, occupied in 2 h, outdoor temperature in 3 h, irradiance in 3 h, price in
1, 2, 3 and 6 h. The mass's temperature is hidden, as it is in practice.

Reward: -(electricity in EUR + 1 EUR for every K h outside of the comfort band); the band is 20 to 24 °C when people
are there (workdays from 8:00 to 18:00) and 15 to 30 °C otherwise.

Episodes begin at midnight of a day that ``reset`` draws; ``options={"month": 7}`` draws it from July, and
``{"month": 7, "day": 14}`` names it. 96 steps are one day; the environment itself never ends. ``info`` holds energy
(kWh), cost (EUR), discomfort (K h) of the step and the episode's month and day of the month.

The series are CSV files of 8760 rows: `weather` with hour, temperature_c, irradiance_w_m2; `prices` with hour,
price_eur_kwh. Weather is interpolated within the hour, a price is valid for its hour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from benchmarks_catalog.environments.series import read_series
from benchmarks_catalog.environments.year import DAYS, HOURS, date_of, draw_day, is_workday

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["HVAC", "Building", "coefficient_of_performance", "comfort_band"]

_STEPS_PER_HOUR = 4
_STEPS = _STEPS_PER_HOUR * HOURS
_MINUTES = 60 // _STEPS_PER_HOUR
_OPENING, _CLOSING = 8.0, 18.0  # h
_KELVIN = 273.15
_DISCOMFORT_PRICE = 1.0  # EUR / (K h)
_WEATHER = {"temperature_c": (-60.0, 60.0), "irradiance_w_m2": (0.0, 1500.0)}
_PRICES = {"price_eur_kwh": (-5.0, 5.0)}
_COLDEST, _HOTTEST = -60.0, 120.0  # °C an observed indoor temperature is clipped to


@dataclass(frozen=True, slots=True)
class Building:
    """The thermal model's parameters; see the module's docstring."""

    air_capacity: float = 1.5  # kWh/K
    mass_capacity: float = 12.0  # kWh/K
    air_to_mass: float = 1.1  # K/kW
    air_to_outdoor: float = 5.0  # K/kW
    mass_to_outdoor: float = 7.0  # K/kW
    window_area: float = 8.0  # m², effective
    sun_on_air: float = 0.4  # the share of the sun's heat that the air takes
    pump_power: float = 3.0  # kW, electric

    def after(
        self, air: float, mass: float, outdoor: float, heat: float, sun: float, minutes: int
    ) -> tuple[float, float]:
        """Temperatures of air and mass (°C) after `minutes` of constant weather.

        Args:
            air: °C.
            mass: °C.
            outdoor: °C.
            heat: heat pump and people, kW into the air.
            sun: irradiance, kW/m².
            minutes: Euler steps of one minute.
        """
        sunshine = self.window_area * sun
        for _ in range(minutes):
            exchange = (mass - air) / self.air_to_mass
            into_air = exchange + (outdoor - air) / self.air_to_outdoor + heat + self.sun_on_air * sunshine
            into_mass = -exchange + (outdoor - mass) / self.mass_to_outdoor + (1 - self.sun_on_air) * sunshine
            air, mass = (
                air + into_air / self.air_capacity / 60,
                mass + into_mass / self.mass_capacity / 60,
            )
        return air, mass


def coefficient_of_performance(outdoor: float, *, heating: bool) -> float:
    """Heat moved for one unit of electricity, at an outdoor temperature in °C."""
    if heating:
        hot, lift = 35.0 + _KELVIN, 35.0 - outdoor
        useful = hot
    else:
        useful, lift = 12.0 + _KELVIN, outdoor + 10.0 - 12.0
    return min(max(0.45 * useful / max(lift, 1.0), 1.5), 6.0)


def comfort_band(*, occupied: bool) -> tuple[float, float]:
    """The lowest and highest comfortable indoor temperature, °C."""
    return (20.0, 24.0) if occupied else (15.0, 30.0)


def _occupancy() -> NDArray[np.float64]:
    """1 where people are there, (35040,)."""
    hours = np.arange(24 * _STEPS_PER_HOUR) / _STEPS_PER_HOUR
    workday = [is_workday(day) for day in range(DAYS)]
    return np.outer(workday, (hours >= _OPENING) & (hours < _CLOSING)).astype(np.float64).ravel()


def _interpolated(hourly: NDArray[np.float64]) -> NDArray[np.float64]:
    """(8760,) → (35040,); the last hour leads on to the first."""
    share = np.arange(_STEPS_PER_HOUR) / _STEPS_PER_HOUR
    return (hourly[:, None] * (1 - share) + np.roll(hourly, -1)[:, None] * share).ravel()


def _ahead(series: NDArray[np.float64], hours: int) -> NDArray[np.float64]:
    return np.roll(series, -hours * _STEPS_PER_HOUR)


class HVAC(gymnasium.Env["NDArray[np.float32]", "NDArray[np.float32]"]):
    """See the module's docstring.

    Args:
        weather: path of the weather CSV.
        prices: path of the price CSV.

    Raises:
        FormatError: a CSV file is not what the module's docstring says.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 — Gymnasium's own declaration

    def __init__(self, weather: str | PathLike[str], prices: str | PathLike[str]) -> None:
        self._building = Building()
        self._outside = self._table(
            read_series(weather, _WEATHER), read_series(prices, _PRICES)["price_eur_kwh"]
        )
        low = [_COLDEST, -60, 0, 0, -5, -1, -1, 0, -60, 0, -5, -5, -5, -5]
        high = [_HOTTEST, 60, 1500, 1, 5, 1, 1, 1, 60, 1500, 5, 5, 5, 5]
        self.observation_space = gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._clock = self._day = 0
        self._air = self._mass = 20.0

    @staticmethod
    def _table(weather: dict[str, NDArray[np.float64]], price: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the observation holds beside the indoor temperature, (35040, 13)."""
        outdoor = _interpolated(weather["temperature_c"])
        sun = _interpolated(weather["irradiance_w_m2"])
        prices = np.repeat(price, _STEPS_PER_HOUR)
        occupied = _occupancy()
        angle = 2 * np.pi * np.arange(_STEPS) / (24 * _STEPS_PER_HOUR)
        now = [outdoor, sun, occupied, prices, np.sin(angle), np.cos(angle)]
        later = [_ahead(occupied, 2), _ahead(outdoor, 3), _ahead(sun, 3)]
        return np.stack([*now, *later, *(_ahead(prices, hours) for hours in (1, 2, 3, 6))], axis=1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Midnight of a day; see the module's docstring for `options`."""
        super().reset(seed=seed)
        self._day = draw_day(self.np_random, options)
        self._clock = self._day * 24 * _STEPS_PER_HOUR
        self._air = float(self.np_random.uniform(18.0, 24.0))
        self._mass = self._air + float(self.np_random.uniform(-1.0, 1.0))
        return self._observation(), self._info(0.0, 0.0, 0.0)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """A quarter of an hour.

        Raises:
            ValueError: the action is not a number.
        """
        share = min(max(float(action[0]), -1.0), 1.0)
        if math.isnan(share):
            raise ValueError("An action of HVAC-v0 is a number between -1 and 1, not NaN.")
        energy = abs(share) * self._building.pump_power / _STEPS_PER_HOUR
        cost = energy * float(self._outside[self._clock, 3])
        self._heat(share)
        self._clock = (self._clock + 1) % _STEPS
        discomfort = self._discomfort()
        reward = -(cost + _DISCOMFORT_PRICE * discomfort)
        return self._observation(), reward, False, False, self._info(energy, cost, discomfort)

    def _heat(self, share: float) -> None:
        outdoor, sun, occupied = (float(value) for value in self._outside[self._clock, :3])
        performance = coefficient_of_performance(outdoor, heating=share > 0)
        pump = share * self._building.pump_power * performance
        people = 2.2 if occupied else 0.3  # kW: twelve people and their machines, or stand-by
        self._air, self._mass = self._building.after(
            self._air, self._mass, outdoor, pump + people, sun / 1000, _MINUTES
        )

    def _discomfort(self) -> float:
        """K h of the quarter hour that ends now."""
        low, high = comfort_band(occupied=bool(self._outside[self._clock, 2]))
        return max(low - self._air, self._air - high, 0.0) / _STEPS_PER_HOUR

    def _observation(self) -> NDArray[np.float32]:
        seen = np.array([self._air, *self._outside[self._clock]], np.float32)
        return np.clip(seen, self.observation_space.low, self.observation_space.high)  # type: ignore[attr-defined]

    def _info(self, energy: float, cost: float, discomfort: float) -> dict[str, Any]:
        month, day = date_of(self._day % DAYS)
        return {"energy": energy, "cost": cost, "discomfort": discomfort, "month": month, "day": day}
