from __future__ import annotations

import csv
import hashlib
import math
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import namespace, registry
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmarks_catalog
from benchmarks_catalog.environments import register
from benchmarks_catalog.environments.catch import CELLS, PIXELS
from benchmarks_catalog.environments.hvac import Building, coefficient_of_performance
from benchmarks_catalog.environments.microgrid import Battery, turbine_power
from benchmarks_catalog.environments.series import read_series
from benchmarks_catalog.environments.year import date_of, draw_day, is_workday
from benchmarks_catalog.make_series import write_series
from pytupli_registry.errors import FormatError

CATALOG = Path(benchmarks_catalog.__file__).parent
HVAC = {name: CATALOG / f"hvac/artifacts/{name}.csv" for name in ("weather", "prices")}
MICROGRID = {name: CATALOG / f"microgrid/artifacts/{name}.csv" for name in ("wind", "prices", "load")}
OWN = [
    ("pytupli/HVAC-v0", HVAC, 96),
    ("pytupli/Microgrid-v0", MICROGRID, 48),
    ("pytupli/PointReach-v0", {}, 100),
    ("pytupli/PointReach-v0", {"reward": "dense"}, 100),
    ("pytupli/Catch-v0", {}, 130),
]
SHA256 = {
    "hvac/artifacts/weather.csv": "78bba2c5007ac47c0b130bb3a15cf7ca18a8de12a0582bf73541eb7ace5e02f3",
    "hvac/artifacts/prices.csv": "58d23666a7595d616cb10d42f16d2c3fbd300e85f472ae5ad926904f1d786633",
    "microgrid/artifacts/wind.csv": "699e769b5636073b3b23d801aa619abf680250914fda1bd051987d74e1b59901",
    "microgrid/artifacts/prices.csv": "f96c98596af9fc6bb3c37e3e5eccc2471155cb1d0e887e3ec3fabe45061ce29c",
    "microgrid/artifacts/load.csv": "979855815e2207ed4ba8f2aba5aa43206f51828aedfbf0287d244199b4d5fb90",
}


def column(path, name):
    with path.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def flat(observation):
    parts = observation.values() if isinstance(observation, dict) else [observation]
    return b"".join(part.tobytes() for part in parts)


def trace(environment_id, kwargs, seed, episodes=2):
    """Everything that two episodes show, as comparable values."""
    env = gymnasium.make(environment_id, **kwargs)
    env.action_space.seed(seed)
    seen = []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed if episode == 0 else None)
        seen.append((flat(observation), info))
        over = False
        while not over:
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            seen.append((flat(observation), reward, terminated, truncated, info))
            over = terminated or truncated
    return seen


class TestEveryEnvironment:
    @pytest.mark.parametrize(("environment_id", "kwargs", "_steps"), OWN)
    def test_gymnasium_has_nothing_to_say_against_it(self, environment_id, kwargs, _steps):
        check_env(gymnasium.make(environment_id, **kwargs).unwrapped)

    @pytest.mark.parametrize(("environment_id", "kwargs", "_steps"), OWN)
    def test_two_builds_are_equal_bit_by_bit_and_two_seeds_are_not(self, environment_id, kwargs, _steps):
        first = trace(environment_id, kwargs, 5)
        assert first == trace(environment_id, kwargs, 5)
        assert first != trace(environment_id, kwargs, 6)

    @pytest.mark.parametrize(("environment_id", "kwargs", "steps"), OWN)
    def test_an_episode_has_the_length_its_docstring_says(self, environment_id, kwargs, steps):
        assert len(trace(environment_id, kwargs, 0, episodes=1)) == steps + 1

    @pytest.mark.parametrize(("environment_id", "kwargs", "_steps"), OWN)
    def test_every_observation_is_in_its_space_and_every_info_has_the_same_keys(
        self, environment_id, kwargs, _steps
    ):
        env = gymnasium.make(environment_id, **kwargs).unwrapped
        env.action_space.seed(1)
        observation, info = env.reset(seed=1)
        for _ in range(150):
            assert env.observation_space.contains(observation)
            observation, reward, _, _, later = env.step(env.action_space.sample())
            assert type(reward) is float
            assert {name: type(value) for name, value in info.items()} == {
                name: type(value) for name, value in later.items()
            }

    @pytest.mark.parametrize("environment_id", ["pytupli/HVAC-v0", "pytupli/Microgrid-v0"])
    def test_actions_beyond_the_space_are_clipped_and_nan_is_refused(self, environment_id):
        env = gymnasium.make(environment_id, **(HVAC if "HVAC" in environment_id else MICROGRID)).unwrapped
        env.reset(seed=0)
        beyond = env.step(np.array([7.0], np.float32))
        env.reset(seed=0)
        within = env.step(np.array([1.0], np.float32))
        assert flat(beyond[0]) == flat(within[0])
        assert beyond[1:] == within[1:]
        with pytest.raises(ValueError, match="NaN"):
            env.step(np.array([np.nan], np.float32))


class TestRegistration:
    def test_the_entry_points_are_strings_and_a_second_call_changes_nothing(self):
        before = {name: spec for name, spec in registry.items() if name.startswith("pytupli/")}
        register()
        after = {name: spec for name, spec in registry.items() if name.startswith("pytupli/")}
        assert before == after
        assert after["pytupli/HVAC-v0"].entry_point == "benchmarks_catalog.environments.hvac:HVAC"
        assert {spec.max_episode_steps for spec in after.values()} == {96, 48, 100, None}

    def test_a_plugin_loader_that_sets_the_namespace_gets_the_same_ids(self):
        known = {name: registry.pop(name) for name in [n for n in registry if n.startswith("pytupli/")]}
        try:
            with namespace("pytupli"):
                register()
            assert {name: registry[name] for name in known} == known
        finally:
            registry.update(known)

    def test_importing_the_package_imports_no_environment_and_no_other_library(self):
        program = (
            "import gymnasium, sys; before = set(sys.modules); import benchmarks_catalog.environments;"
            "print(sorted(set(sys.modules) - before))"
        )
        output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert output.stdout.strip() == "['benchmarks_catalog', 'benchmarks_catalog.environments']"


class TestYear:
    def test_dates(self):
        assert date_of(0) == (1, 1)
        assert date_of(31) == (2, 1)
        assert date_of(58) == (2, 28)
        assert date_of(59) == (3, 1)
        assert date_of(364) == (12, 31)
        assert [is_workday(day) for day in range(8)] == [True] * 5 + [False] * 2 + [True]

    @given(st.integers(1, 12), st.integers(0, 2**32))
    def test_a_month_is_kept(self, month, seed):
        assert date_of(draw_day(np.random.default_rng(seed), {"month": month}))[0] == month

    def test_a_day_is_exact_and_nothing_asked_reaches_every_month(self):
        random = np.random.default_rng(0)
        assert date_of(draw_day(random, {"month": 7, "day": 14})) == (7, 14)
        assert {date_of(draw_day(random, None))[0] for _ in range(200)} == set(range(1, 13))

    @pytest.mark.parametrize(
        "options",
        [
            {"month": 0},
            {"month": 13},
            {"month": 2.5},
            {"month": True},
            {"month": "7"},
            {"day": 3},
            {"mounth": 7},
            {"month": 2, "day": 29},
        ],
    )
    def test_what_is_no_date_is_refused(self, options):
        with pytest.raises(ValueError, match="reset option"):
            draw_day(np.random.default_rng(0), options)


class TestSeries:
    def test_made_again_they_are_the_committed_bytes(self, tmp_path):
        written = {
            path.relative_to(tmp_path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in write_series(tmp_path)
        }
        committed = {name: hashlib.sha256((CATALOG / name).read_bytes()).hexdigest() for name in SHA256}
        assert written == SHA256
        assert committed == SHA256
        assert max((CATALOG / name).stat().st_size for name in SHA256) < 400_000

    def test_they_look_like_a_year(self):
        temperature = np.array(column(HVAC["weather"], "temperature_c")).reshape(365, 24)
        sun = np.array(column(HVAC["weather"], "irradiance_w_m2")).reshape(365, 24)
        assert temperature[181:212].mean() - temperature[:31].mean() > 12
        assert temperature[:, 15].mean() > temperature[:, 4].mean() + 3
        assert sun[:, 0].max() == 0.0
        assert sun[:, 12].min() > 0.0
        price = np.array(column(MICROGRID["prices"], "price_eur_kwh")).reshape(365, 24)
        assert price[:, 19].mean() > price[:, 8].mean() > price[:, 13].mean()
        assert price.min() < 0 < np.median(price)
        wind = np.array(column(MICROGRID["wind"], "wind_speed_m_s"))
        assert wind[:744].mean() > wind[4344:5088].mean()
        assert 0.9 < np.corrcoef(wind[:-1], wind[1:])[0, 1] < 0.99

    def test_reading_gives_the_cells(self):
        read = read_series(HVAC["weather"], {"temperature_c": (-60, 60), "irradiance_w_m2": (0, 1500)})
        assert read["temperature_c"].tolist() == column(HVAC["weather"], "temperature_c")
        assert read["irradiance_w_m2"].tolist() == column(HVAC["weather"], "irradiance_w_m2")

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda lines: lines[:-1], "8759 rows, not 8760"),
            (lambda lines: [*lines, "8760,0.1"], "8761 rows"),
            (lambda lines: ["hour,price", *lines[1:]], "its header is not hour,price_eur_kwh"),
            (lambda lines: [], "its header is not"),
            (lambda lines: [*lines[:5], "4,nan", *lines[6:]], "price_eur_kwh is nan at hour 4"),
            (lambda lines: [*lines[:5], "4,inf", *lines[6:]], "price_eur_kwh is inf at hour 4"),
            (lambda lines: [*lines[:5], "4,-7", *lines[6:]], "price_eur_kwh is -7 at hour 4"),
            (lambda lines: [*lines[:5], "4,cheap", *lines[6:]], "cheap"),
            (lambda lines: [*lines[:5], "4,0.1,0.2", *lines[6:]], "another length"),
            (lambda lines: [*lines[:5], "5,0.1", *lines[6:]], "does not count from 0 to 8759"),
            (lambda lines: [*lines, "x" * 5_000_000], "larger than"),
            (lambda lines: [*lines[:5], '4,"0.1', *lines[6:]], "cannot be read"),
        ],
    )
    def test_an_unfit_file_is_refused_and_told_apart(self, tmp_path, change, told):
        lines = HVAC["prices"].read_text().splitlines()
        unfit = tmp_path / "prices.csv"
        unfit.write_text("\n".join(change(lines)))
        with pytest.raises(FormatError, match=told) as refused:
            gymnasium.make("pytupli/HVAC-v0", weather=HVAC["weather"], prices=unfit)
        assert refused.value.path == unfit
        assert "365-day year" in refused.value.hint

    def test_no_file_and_no_text_are_refused(self, tmp_path):
        with pytest.raises(FormatError, match="FileNotFoundError"):
            read_series(tmp_path / "absent.csv", {"price_eur_kwh": (-5, 5)})
        (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(FormatError, match="UnicodeDecodeError"):
            read_series(tmp_path / "bytes.csv", {"price_eur_kwh": (-5, 5)})

    @settings(max_examples=25, deadline=None)
    @given(
        cell=st.text(max_size=8) | st.floats().map(str) | st.integers(-9, 9).map(str),
        hour=st.integers(0, 8759),
    )
    def test_one_odd_cell_is_read_as_a_number_in_bounds_or_refused(self, tmp_path_factory, cell, hour):
        lines = HVAC["prices"].read_text().splitlines()
        lines[hour + 1] = f"{hour},{cell}"
        file = tmp_path_factory.mktemp("series") / "prices.csv"
        file.write_text("\n".join(lines), "utf-8", errors="replace")
        if fits(cell):
            read = read_series(file, {"price_eur_kwh": (-5, 5)})["price_eur_kwh"]
            assert read[hour] == float(cell)
        else:
            with pytest.raises(FormatError, match=r"prices\.csv"):
                read_series(file, {"price_eur_kwh": (-5, 5)})


def fits(cell):
    """A cell of the price column that a careful person would accept, quotes and line ends aside."""
    try:
        return -5 <= float(cell) <= 5 and not set(cell) & set('"\r\n')
    except ValueError:
        return False


def exact_temperatures(building, air, mass, outdoor, heat, sun, hours):
    """The linear two-node model solved by its eigenvectors: an oracle without steps."""
    into_air = [-(1 / building.air_to_mass + 1 / building.air_to_outdoor), 1 / building.air_to_mass]
    into_mass = [1 / building.air_to_mass, -(1 / building.air_to_mass + 1 / building.mass_to_outdoor)]
    capacities = np.array([building.air_capacity, building.mass_capacity])
    matrix = np.array([into_air, into_mass]) / capacities[:, None]
    shine = building.window_area * sun
    sources = [
        outdoor / building.air_to_outdoor + heat + building.sun_on_air * shine,
        outdoor / building.mass_to_outdoor + (1 - building.sun_on_air) * shine,
    ]
    rest = -np.linalg.solve(matrix, np.array(sources) / capacities)
    values, vectors = np.linalg.eig(matrix)
    weights = np.linalg.solve(vectors, np.array([air, mass]) - rest)
    return rest + vectors @ (np.exp(values * hours) * weights)


class TestHVAC:
    @pytest.fixture
    def env(self):
        return gymnasium.make("pytupli/HVAC-v0", **HVAC)

    def test_without_heat_the_building_relaxes_to_the_outdoor_temperature(self):
        air, mass = Building().after(22.0, 21.0, -5.0, 0.0, 0.0, 60 * 24 * 40)
        assert (air, mass) == (pytest.approx(-5.0, abs=1e-3), pytest.approx(-5.0, abs=1e-3))

    @pytest.mark.parametrize("hours", [1, 6, 24])
    def test_the_steps_follow_the_exact_solution(self, hours):
        stepped = Building().after(22.0, 20.0, 3.0, 4.0, 0.3, 60 * hours)
        exact = exact_temperatures(Building(), 22.0, 20.0, 3.0, 4.0, 0.3, hours)
        assert np.allclose(stepped, exact, atol=0.03)

    def test_a_sealed_building_keeps_all_the_energy_it_gets(self):
        sealed = Building(air_to_outdoor=1e15, mass_to_outdoor=1e15)
        air, mass = sealed.after(20.0, 18.0, -20.0, 3.0, 0.5, 120)
        stored = sealed.air_capacity * (air - 20.0) + sealed.mass_capacity * (mass - 18.0)
        assert stored == pytest.approx(2 * (3.0 + sealed.window_area * 0.5))

    def test_the_heat_pump_follows_carnot_within_its_limits(self):
        assert coefficient_of_performance(0.0, heating=True) == pytest.approx(0.45 * 308.15 / 35)
        assert coefficient_of_performance(32.0, heating=False) == pytest.approx(0.45 * 285.15 / 30)
        assert coefficient_of_performance(34.9, heating=True) == 6.0
        assert coefficient_of_performance(-60.0, heating=True) == 1.5
        assert coefficient_of_performance(-40.0, heating=False) == 6.0

    def test_the_observation_shows_the_rows_of_the_csv_files(self, env):
        observation, info = env.reset(seed=0, options={"month": 3, "day": 6})  # a Tuesday
        hour = (31 + 28 + 5) * 24
        temperature = column(HVAC["weather"], "temperature_c")
        sun = column(HVAC["weather"], "irradiance_w_m2")
        price = column(HVAC["prices"], "price_eur_kwh")
        assert (info["month"], info["day"]) == (3, 6)
        for quarter in range(40):
            now, share = hour + quarter // 4, quarter % 4 / 4
            angle = 2 * math.pi * quarter / 96
            expected = [
                temperature[now] * (1 - share) + temperature[now + 1] * share,
                sun[now] * (1 - share) + sun[now + 1] * share,
                float(quarter >= 32),
                price[now],
                math.sin(angle),
                math.cos(angle),
                float(quarter >= 24),
                temperature[now + 3] * (1 - share) + temperature[now + 4] * share,
                sun[now + 3] * (1 - share) + sun[now + 4] * share,
                *(price[now + ahead] for ahead in (1, 2, 3, 6)),
            ]
            assert observation[1:] == pytest.approx(expected, rel=1e-6, abs=1e-6)
            observation, *_ = env.step(np.zeros(1, np.float32))

    def test_energy_cost_and_reward_of_a_day_add_up(self, env):
        price = column(HVAC["prices"], "price_eur_kwh")
        _, info = env.reset(seed=3, options={"month": 1, "day": 10})
        for quarter in range(96):
            action = np.array([math.sin(quarter)], np.float32)
            observation, reward, _, _, info = env.step(action)
            energy = abs(float(action[0])) * 3 / 4
            assert info["energy"] == pytest.approx(energy)
            assert info["cost"] == pytest.approx(energy * price[9 * 24 + quarter // 4])
            low, high = (20, 24) if 32 <= quarter + 1 < 72 else (15, 30)
            outside = max(low - float(observation[0]), float(observation[0]) - high, 0) / 4
            assert info["discomfort"] == pytest.approx(outside, abs=1e-6)
            assert reward == pytest.approx(-info["cost"] - info["discomfort"])

    def test_nobody_works_at_the_weekend(self, env):
        env.reset(seed=0, options={"month": 1, "day": 6})
        assert sum(env.step(np.zeros(1, np.float32))[0][3] for _ in range(95)) == 0
        env.reset(seed=0, options={"month": 1, "day": 5})
        assert sum(env.step(np.zeros(1, np.float32))[0][3] for _ in range(95)) == 40

    @pytest.mark.parametrize(("share", "people", "day"), [(0.5, 2.2, 6), (-0.5, 2.2, 6), (0.0, 0.3, 3)])
    def test_one_step_is_the_model_with_people_sun_and_pump(self, env, share, people, day):
        env.reset(seed=1, options={"month": 2, "day": day})
        for _ in range(44):
            before, *_ = env.step(np.zeros(1, np.float32))
        sun, outdoor = float(before[2]) / 1000, float(before[1])
        assert sun > 0.05
        env.unwrapped._air, env.unwrapped._mass = 19.0, 18.0  # the mass cannot be observed
        after, *_ = env.step(np.array([share], np.float32))
        heat = share * 3 * coefficient_of_performance(outdoor, heating=share > 0) + people
        exact = exact_temperatures(Building(), 19.0, 18.0, outdoor, heat, sun, 0.25)
        assert [float(after[0]), env.unwrapped._mass] == pytest.approx(exact, abs=0.02)

    def test_the_year_goes_on_after_its_last_hour(self, env):
        env = env.unwrapped
        env.reset(seed=0, options={"month": 12, "day": 31})
        for _ in range(96):
            observation, *_ = env.step(np.zeros(1, np.float32))
        assert observation[1] == np.float32(column(HVAC["weather"], "temperature_c")[0])


class TestMicrogrid:
    @pytest.fixture
    def env(self):
        return gymnasium.make("pytupli/Microgrid-v0", **MICROGRID)

    @given(st.floats(0, 200), st.floats(-80, 80))
    def test_the_battery_stays_within_its_limits(self, stored, wanted):
        battery = Battery()
        power = battery.feasible(stored, wanted)
        assert abs(power) <= battery.power
        assert abs(power) <= abs(wanted)
        assert -1e-9 <= stored + battery.change(power) <= battery.capacity + 1e-9

    @given(st.floats(0.1, 50))
    def test_a_round_trip_loses_a_tenth(self, power):
        battery = Battery()
        assert -battery.change(-power * 0.95**2) == pytest.approx(battery.change(power))

    def test_the_turbine_follows_its_curve(self):
        speeds = np.array([0.0, 2.99, 3.0, 7.5, 12.0, 25.0, 25.01])
        middle = 40 * (7.5**3 - 27) / (12**3 - 27)
        assert turbine_power(speeds) == pytest.approx([0, 0, 0, middle, 40, 40, 0])

    def test_every_step_of_an_episode_balances(self, env):
        load, price = column(MICROGRID["load"], "load_kw"), column(MICROGRID["prices"], "price_eur_kwh")
        wind = turbine_power(np.array(column(MICROGRID["wind"], "wind_speed_m_s")))
        observation, _ = env.reset(seed=2, options={"month": 2, "day": 1})
        env.action_space.seed(2)
        for hour in range(31 * 24, 31 * 24 + 48):
            assert observation[1:3] == pytest.approx([load[hour], wind[hour]], rel=1e-6)
            assert observation[5:] == pytest.approx(price[hour : hour + 12], rel=1e-6)
            before = float(observation[0]) * 200
            observation, reward, _, _, info = env.step(env.action_space.sample())
            change = float(observation[0]) * 200 - before
            power = change / 0.95 if change > 0 else change * 0.95
            grid = load[hour] - wind[hour] + power
            assert info["grid"] == pytest.approx(grid, abs=1e-3)
            assert info["wear"] == pytest.approx(abs(change) * 0.01, abs=1e-5)
            money = grid * (price[hour] + 0.1) if grid > 0 else grid * price[hour]
            assert info["cost"] == pytest.approx(money + info["wear"], abs=1e-3)
            assert reward == pytest.approx(-info["cost"] + change * np.mean(price), abs=1e-4)

    @pytest.mark.parametrize(("share", "end"), [(1.0, 1.0), (-1.0, 0.0)])
    def test_the_battery_gets_full_and_empty_and_no_further(self, env, share, end):
        env.reset(seed=0)
        for _ in range(10):
            observation, _, _, _, info = env.step(np.array([share], np.float32))
        assert observation[0] == pytest.approx(end)
        assert info["wear"] == pytest.approx(0.0, abs=1e-9)


class TestPointReach:
    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 1000), toward=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
    def test_the_point_enters_neither_the_wall_nor_the_outside_and_never_jumps(self, seed, toward):
        env = gymnasium.make("pytupli/PointReach-v0")
        observation, _ = env.reset(seed=seed)
        for _ in range(100):
            before = observation["achieved_goal"]
            observation, *_ = env.step(np.array(toward, np.float32))
            x, y = observation["achieved_goal"]
            assert abs(x) <= 1
            assert abs(y) <= 1
            assert not (abs(x) < 0.05 - 1e-6 and y < 0.4 - 1e-6)
            assert np.abs(observation["achieved_goal"] - before).max() <= 0.0701

    def test_the_wall_is_in_the_way(self):
        env = gymnasium.make("pytupli/PointReach-v0").unwrapped
        for seed in range(20):
            observation, _ = env.reset(seed=seed)
            x, y = observation["achieved_goal"]
            if x > 0 or y > 0:
                continue
            for _ in range(100):
                observation, *_ = env.step(np.array([1, 0], np.float32))
            assert -0.12 < observation["achieved_goal"][0] < -0.05 + 1e-6
            assert observation["observation"][2] == 0

    def test_free_motion_follows_the_equations(self):
        env = gymnasium.make("pytupli/PointReach-v0")
        observation, _ = env.reset(seed=11)
        x, y, vx, vy = (float(value) for value in observation["observation"])
        for _ in range(3):
            observation, *_ = env.step(np.array([0.5, -0.2], np.float32))
            vx, vy = 0.9 * vx + 0.1 * 1.5 * 0.5, 0.9 * vy - 0.1 * 1.5 * 0.2
            x, y = x + 0.1 * vx, y + 0.1 * vy
            assert observation["observation"] == pytest.approx([x, y, vx, vy], abs=1e-5)

    def test_rewards_are_computed_for_batches_as_in_steps(self):
        sparse = gymnasium.make("pytupli/PointReach-v0").unwrapped
        dense = gymnasium.make("pytupli/PointReach-v0", reward="dense").unwrapped
        achieved, desired = np.array([[0.0, 0.0], [0.3, 0.4]]), np.array([[0.06, 0.08], [0.0, 0.0]])
        assert sparse.compute_reward(achieved, desired, {}).tolist() == [0.0, -1.0]
        assert dense.compute_reward(achieved, desired, {}).tolist() == pytest.approx([-0.1, -0.5])
        for env in (sparse, dense):
            env.reset(seed=4)
            observation, reward, _, _, info = env.step(np.array([1, 1], np.float32))
            again = env.compute_reward(observation["achieved_goal"], observation["desired_goal"], info)
            assert reward == again

    def test_being_at_the_goal_is_a_success(self):
        env = gymnasium.make("pytupli/PointReach-v0")
        observation, _ = env.reset(seed=0)
        start = observation["achieved_goal"].tolist()
        observation, info = env.reset(seed=0, options={"goal": start})
        assert info == {"is_success": True}
        _, reward, _, _, info = env.step(np.zeros(2, np.float32))
        assert (reward, info) == (0.0, {"is_success": True})

    def test_start_and_goal_are_apart(self):
        env = gymnasium.make("pytupli/PointReach-v0")
        for seed in range(30):
            observation, info = env.reset(seed=seed)
            assert np.linalg.norm(observation["achieved_goal"] - observation["desired_goal"]) >= 0.4999
            assert info == {"is_success": False}

    @pytest.mark.parametrize(
        "options", [{"goal": [0, 0]}, {"goal": [2, 0]}, {"goal": [0.5]}, {"start": [0, 1]}]
    )
    def test_goals_that_cannot_be_are_refused(self, options):
        with pytest.raises(ValueError, match="on the plate"):
            gymnasium.make("pytupli/PointReach-v0").reset(seed=0, options=options)

    def test_other_rewards_and_nan_are_refused(self):
        with pytest.raises(ValueError, match="'sparse' or 'dense'"):
            gymnasium.make("pytupli/PointReach-v0", reward="none")
        env = gymnasium.make("pytupli/PointReach-v0").unwrapped
        env.reset(seed=0)
        with pytest.raises(ValueError, match="NaN"):
            env.step(np.array([0, np.nan], np.float32))


def cells(image):
    assert image.shape == (1, CELLS * PIXELS, CELLS * PIXELS)
    blocks = image[0].reshape(CELLS, PIXELS, CELLS, PIXELS)
    assert (blocks == blocks[:, :1, :, :1]).all()
    return blocks[:, 0, :, 0]


class TestCatch:
    def test_the_image_shows_one_falling_ball_and_a_paddle_of_three_cells(self):
        env = gymnasium.make("pytupli/Catch-v0")
        image, _ = env.reset(seed=0)
        columns = []
        for step in range(26):
            seen = cells(image)
            ((row, ball),) = np.argwhere(seen == 255)
            assert row == step % 13
            columns.append(ball)
            paddle = np.flatnonzero(seen[-1] == 128)
            assert paddle.tolist() == list(range(paddle[0], paddle[0] + 3))
            assert np.count_nonzero(seen) == 4
            image, *_ = env.step(1)
        assert len(set(columns[:13])) == len(set(columns[13:])) == 1

    def test_the_paddle_moves_one_cell_and_stops_at_the_sides(self):
        env = gymnasium.make("pytupli/Catch-v0")
        image, _ = env.reset(seed=0)
        left = np.flatnonzero(cells(image)[-1])[0]
        for action, moved in ((0, -1), (2, 0), (1, 0)):
            assert np.flatnonzero(cells(env.step(action)[0])[-1])[0] == left + moved
        for action, end in ((0, 0), (2, CELLS - 3)):
            for _ in range(CELLS):
                image, *_ = env.step(action)
            assert np.flatnonzero(cells(image)[-1])[0] == end

    @pytest.mark.parametrize("balls", [1, 60])
    def test_returns_count_the_balls_and_the_last_one_ends_the_episode(self, balls):
        env = gymnasium.make("pytupli/Catch-v0", balls=balls)
        image, _ = env.reset(seed=8)
        rewards, expected = [], []
        for step in range(13 * balls):
            if step % 13 == 12:
                seen = cells(image)
                expected.append(1.0 if seen[-1, np.argwhere(seen == 255)[0, 1]] else -1.0)
            image, reward, terminated, truncated, info = env.step(1)
            rewards.append(reward)
            assert (terminated, truncated) == (step == 13 * balls - 1, False)
        assert rewards[12::13] == expected
        assert np.count_nonzero(rewards) == balls
        assert info["caught"] == expected.count(1.0)

    def test_no_balls_and_no_such_action_are_refused(self):
        with pytest.raises(ValueError, match="at least one ball"):
            gymnasium.make("pytupli/Catch-v0", balls=0)
        env = gymnasium.make("pytupli/Catch-v0").unwrapped
        env.reset(seed=0)
        with pytest.raises(ValueError, match="0 \\(left\\)"):
            env.step(3)
