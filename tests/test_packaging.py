"""The distributions as library users install them: wheels, in an environment of their own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {
    "pytupli_registry": ROOT,
    "pytupli_d3rlpy": ROOT / "plugins" / "pytupli-d3rlpy",
    "pytupli_minari": ROOT / "plugins" / "pytupli-minari",
}

# What the catalog says where neither Box2D nor MuJoCo is installed.
CATALOG = {
    "catalog list": "microgrid",
    "catalog install hvac --without-datasets": "hvac",
    "benchmark verify hvac": "identical: 3 rollouts",
    "catalog install lunar-lander": "pip install 'pytupli-registry[box2d]'",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for source in DISTRIBUTIONS.values():
        # Without isolation the build takes the setuptools at hand and asks no package index.
        build = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(folder),
            str(source),
        ]
        subprocess.run(build, check=True, capture_output=True, text=True)
    return {name: next(folder.glob(f"{name}-*.whl")) for name in DISTRIBUTIONS}


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_wheel_holds_its_package_and_nothing_else(wheels, name):
    with zipfile.ZipFile(wheels[name]) as wheel:
        tops = {entry.split("/", 1)[0] for entry in wheel.namelist()}
        packages = {name, "benchmarks_catalog"} if name == "pytupli_registry" else {name}
        assert {top for top in tops if not top.endswith(".dist-info")} == packages
        for package in packages:
            assert f"{package}/py.typed" in wheel.namelist()


@pytest.mark.slow
def test_the_web_pages_travel_with_the_server(wheels):
    with zipfile.ZipFile(wheels["pytupli_registry"]) as wheel:
        packed = {name for name in wheel.namelist() if "/server/web/" in name and not name.endswith(".py")}
    folder = ROOT / "pytupli_registry" / "server" / "web"
    there = {path for kind in ("templates", "static") for path in (folder / kind).iterdir()}
    assert packed == {path.relative_to(ROOT).as_posix() for path in there}


@pytest.mark.slow
def test_the_catalog_travels_whole(wheels):
    folder = ROOT / "benchmarks_catalog"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*/benchmark.toml", "*/README.md", "*/baselines.json", "*/artifacts/*", "**/*.py")
        for path in folder.glob(pattern)
    }
    assert len(wanted) > 40
    with zipfile.ZipFile(wheels["pytupli_registry"]) as wheel:
        assert wanted <= set(wheel.namelist())


@pytest.mark.slow
def test_core_and_plugins_install_with_pip_and_load_data(wheels, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "-c",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run([*pip, "torch"], check=True, capture_output=True)
    subprocess.run([*pip, *map(str, wheels.values())], check=True, capture_output=True)
    script = """
import gymnasium, pytupli_registry, pytupli_d3rlpy, pytupli_minari
with pytupli_registry.Recorder(gymnasium.make("CartPole-v1"), "cartpole/random-v0") as env:
    for seed in range(3):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        while not any(env.step(env.action_space.sample())[2:4]):
            pass
assert pytupli_d3rlpy.load("cartpole/random-v0")[0].size() == 3
assert len(pytupli_minari.load("cartpole/random-v0")) == 3
"""
    environment = {"PYTUPLI_DATASETS_PATH": str(tmp_path / "datasets"), "HOME": str(tmp_path)}
    finished = subprocess.run([python, "-c", script], env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    listed = subprocess.run(
        [tmp_path / "venv" / "bin" / "pytupli", "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "cartpole/random-v0" in listed.stdout
    pytupli = tmp_path / "venv" / "bin" / "pytupli"
    for command, said in CATALOG.items():
        done = subprocess.run([pytupli, *command.split()], env=environment, capture_output=True, text=True)
        assert said in done.stdout + done.stderr, command
        assert "Traceback" not in done.stderr
