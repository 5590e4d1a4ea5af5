"""Writes the catalog's year-long synthetic CSV series: ``python -m benchmarks_catalog.make_series``.

The series are invented, not measured: they look like a place at 48° N with a continental climate and a day-ahead
market, and nobody's rights or privacy hang on them. Licence: CC0 1.0 (public domain). One row an hour, 365 days,
the year begins on a Monday. The model:

* temperature: a yearly and a daily cosine (the daily swing grows with clear skies and summer) plus weather fronts,
  an AR(1) process with a time constant of 60 h;
* irradiance: Kasten & Czeplak (1980), "Solar and terrestrial radiation dependent on the amount and type of cloud",
  910 sin(h) - 30 W/m² under a clear sky, times 1 - 0.75 N^3.4 under a cloud cover N; solar elevation from Cooper's
  declination (1969); N is a squashed AR(1) process;
* wind: an AR(1) process with a time constant of 20 h, mapped to a Weibull distribution of shape 2, stronger in winter;
* price: a level with two daily peaks (the evening's is higher), cheaper at weekends, when the sun shines and when the
  wind blows, with AR(1) noise; it can fall below zero;
* load: twenty households and a few shops, with two daily peaks, heating in winter and noise.

The bytes are the same on every machine and numpy release: numbers come from the raw stream of PCG64, which numpy
guarantees (its distributions are not guaranteed), normal ones as sums of twelve uniform ones, and everything is
rounded to a fixed number of decimals.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Series = NDArray[np.float64]  # (8760,)

__all__ = ["make_series", "write_series"]

_HOURS = 8760
_HOUR = np.arange(_HOURS)
_HOUR_OF_DAY = _HOUR % 24
_DAY = _HOUR // 24
_LATITUDE = math.radians(48.0)
_WEEKEND = _DAY % 7 >= 5


def _normal(seed: int) -> Series:
    """Nearly standard normal numbers (Irwin-Hall): the sum of twelve uniform ones, less six."""
    raw = np.random.PCG64(seed).random_raw(12 * _HOURS)
    uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    total: Series = uniform.reshape(_HOURS, 12).sum(axis=1)
    return total - 6.0


def _fronts(seed: int, time_constant: float) -> Series:
    """AR(1) of unit variance whose correlation falls to 1/e after `time_constant` hours."""
    keep = math.exp(-1 / time_constant)
    shocks = math.sqrt(1 - keep**2) * _normal(seed)
    values, value = np.empty(_HOURS), 0.0
    for hour, shock in enumerate(shocks):
        value = keep * value + float(shock)
        values[hour] = value
    return values


def _yearly(coldest_day: float) -> Series:
    """-1 on the coldest day, +1 half a year later."""
    return -np.cos(2 * np.pi * (_HOUR / 24 - coldest_day) / 365)


def _bump(center: float, width: float) -> Series:
    """A daily bell of height 1 around an hour of the day."""
    distance = (_HOUR_OF_DAY - center + 12) % 24 - 12
    bell: Series = np.exp(-0.5 * (distance / width) ** 2)
    return bell


def _solar_elevation_sine() -> Series:
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + _DAY + 1) / 365)
    hour_angle = np.radians(15.0) * (_HOUR_OF_DAY + 0.5 - 12)
    constant = math.sin(_LATITUDE) * np.sin(declination)
    elevation: Series = constant + math.cos(_LATITUDE) * np.cos(declination) * np.cos(hour_angle)
    return elevation


def _clouds() -> Series:
    """Cloud cover between 0 and 1; winters are greyer."""
    return 1 / (1 + np.exp(-(1.8 * _fronts(11, 14.0) - 0.7 * _yearly(15))))


def _irradiance(clouds: Series) -> Series:
    clear = np.maximum(910 * _solar_elevation_sine() - 30, 0)
    return clear * (1 - 0.75 * clouds**3.4)


def _temperature(clouds: Series) -> Series:
    swing = (2.8 + 1.5 * _yearly(15)) * (1.4 - clouds)
    daily: Series = np.cos(2 * np.pi * (_HOUR_OF_DAY - 15) / 24)
    yearly = 10.8 + 10.5 * _yearly(20)
    return yearly + np.maximum(swing, 0.8) * daily + 3.2 * _fronts(12, 60.0)


def _wind_speed() -> Series:
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in _fronts(13, 20.0)])
    scale = 6.8 * (1 - 0.15 * _yearly(15))
    standard: Series = np.sqrt(-np.log1p(-np.clip(below, 0.0, 0.9999)))
    return scale * standard


def _spot_price(irradiance: Series, wind_speed: Series) -> Series:
    """EUR/kWh on the day-ahead market."""
    level = 0.085 - 0.012 * _yearly(15) - 0.015 * _WEEKEND
    peaks = 0.035 * _bump(8, 1.8) + 0.06 * _bump(19, 2.0) - 0.02 * _bump(3, 2.5)
    renewables = -0.075 * irradiance / 800 - 0.03 * (np.minimum(wind_speed, 13) / 13 - 0.4)
    return level + peaks + renewables + 0.012 * _fronts(14, 8.0)


def _load(temperature: Series) -> Series:
    """kW; heating by heat pumps below 15 °C."""
    habits = 9 + 5 * _bump(8, 1.5) + 11 * _bump(19, 2.2) + 3 * _bump(13, 2.0) + 2 * _WEEKEND * _bump(14, 4.0)
    heating = 0.45 * np.maximum(15 - temperature, 0)
    return np.maximum(habits + heating + 1.2 * _fronts(15, 3.0), 2.0)


def make_series() -> dict[str, dict[str, tuple[Series, int]]]:
    """Every file below ``benchmarks_catalog`` with its columns: values of shape (8760,) and decimals to keep."""
    clouds = _clouds()
    irradiance, temperature, wind_speed = _irradiance(clouds), _temperature(clouds), _wind_speed()
    spot = _spot_price(irradiance, wind_speed)
    weather = {"temperature_c": (temperature, 2), "irradiance_w_m2": (irradiance, 1)}
    return {
        "hvac/artifacts/weather.csv": weather,
        "hvac/artifacts/prices.csv": {"price_eur_kwh": (np.maximum(spot + 0.16, 0.02), 4)},
        "microgrid/artifacts/wind.csv": {"wind_speed_m_s": (wind_speed, 2)},
        "microgrid/artifacts/prices.csv": {"price_eur_kwh": (spot, 4)},
        "microgrid/artifacts/load.csv": {"load_kw": (_load(temperature), 2)},
    }


def _text(columns: Mapping[str, tuple[Series, int]]) -> str:
    rounded = [[_fixed(float(value), decimals) for value in values] for values, decimals in columns.values()]
    rows = [f"{hour},{','.join(cells)}\n" for hour, cells in enumerate(zip(*rounded, strict=True))]
    return f"hour,{','.join(columns)}\n" + "".join(rows)


def _fixed(value: float, decimals: int) -> str:
    """Without a minus sign before zero."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def write_series(catalog: Path) -> list[Path]:
    """Write every file below the directory `catalog`, and name them."""
    written = []
    for name, columns in make_series().items():
        path = catalog / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_text(columns).encode("ascii"))
        written.append(path)
    return written


if __name__ == "__main__":
    write_series(Path(__file__).parent)
