"""The main job, end to end: record, store, filter, train, evaluate (``make demo``).

Pendulum-v1 is driven by policies of three qualities: a controller (expert), the same controller with every second
action replaced by noise (medium), and noise alone (random). Everything goes into one dataset. Behaviour cloning is
then trained twice with d3rlpy: on all of it, and on the episodes that a filter keeps. Both are evaluated in the
environment, over several seeds, on start states that no training run saw.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import gymnasium
    from numpy.typing import NDArray

    Policy = Callable[[NDArray[np.float32]], NDArray[np.float32]]

DATASET = "pendulum/mixed-v0"
FILTER = "total_return >= -300"
TORQUE = 2.0
FIRST_EVALUATION_SEED = 10_000


def expert(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Swing up by pumping energy, then balance with a PD controller (Åström and Furuta, 2000)."""
    cosine, sine, speed = map(float, observation)
    angle = np.arctan2(sine, cosine)
    if abs(angle) < 0.4:
        torque = -(10 * angle + 2 * speed)
    else:
        missing_energy = 15 - (0.5 * speed**2 + 15 * cosine)
        torque = 0.5 * missing_energy * (1.0 if speed >= 0 else -1.0)
    return np.clip([torque], -TORQUE, TORQUE).astype(np.float32)


def policies(seed: int) -> dict[str, Policy]:
    """Return the policies by quality."""
    noise = np.random.default_rng(seed)

    def random(_: NDArray[np.float32]) -> NDArray[np.float32]:
        return noise.uniform(-TORQUE, TORQUE, 1).astype(np.float32)

    def medium(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        return expert(observation) if noise.random() < 0.5 else random(observation)

    return {"expert": expert, "medium": medium, "random": random}


def roll_out(env: gymnasium.Env, policy: Policy, seed: int) -> float:
    """Play one episode and return its undiscounted return."""
    observation, _ = env.reset(seed=seed)
    total, done = 0.0, False
    while not done:
        observation, reward, terminated, truncated, _ = env.step(policy(observation))
        total += float(reward)
        done = terminated or truncated
    return total


def record(episodes: int) -> None:
    """Record the same number of episodes with each policy into one dataset."""
    import gymnasium  # noqa: PLC0415

    from pytupli_registry import Recorder  # noqa: PLC0415

    quality = ""
    with Recorder(
        gymnasium.make("Pendulum-v1"), DATASET, metadata=lambda _: {"quality": quality}, policy="mixed"
    ) as env:
        for quality, policy in policies(seed=0).items():
            returns = [roll_out(env, policy, seed) for seed in range(episodes)]
            print(f"  recorded {episodes} {quality} episodes, mean return {np.mean(returns):8.1f}")


def train_and_evaluate(episodes: str | None, seed: int, steps: int, evaluations: int) -> float:
    """Train behaviour cloning on what the filter keeps; return the mean return in the environment."""
    import d3rlpy  # noqa: PLC0415

    import pytupli_d3rlpy  # noqa: PLC0415

    d3rlpy.seed(seed)
    dataset, env = pytupli_d3rlpy.load(DATASET, episodes=episodes)
    bound = np.array([TORQUE], dtype=np.float32)
    cloning = d3rlpy.algos.BCConfig(
        batch_size=256,
        learning_rate=1e-3,
        action_scaler=d3rlpy.preprocessing.MinMaxActionScaler(minimum=-bound, maximum=bound),
    ).create()
    cloning.fit(
        dataset,
        n_steps=steps,
        n_steps_per_epoch=steps,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
        show_progress=False,
    )

    def policy(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(cloning.predict(observation[None])[0], -TORQUE, TORQUE)

    return float(np.mean([roll_out(env, policy, FIRST_EVALUATION_SEED + i) for i in range(evaluations)]))


def main() -> None:
    """Run the demo in a folder of its own, so that nobody's datasets are touched."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=50, help="episodes recorded with each policy")
    parser.add_argument("--steps", type=int, default=1500, help="training steps")
    parser.add_argument("--seeds", type=int, default=5, help="training runs of each kind")
    parser.add_argument("--evaluations", type=int, default=20, help="episodes each policy is evaluated on")
    options = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTUPLI_DATASETS_PATH"] = os.path.join(folder, "datasets")  # noqa: PTH118
        os.environ["PYTUPLI_CACHE_PATH"] = os.path.join(folder, "cache")  # noqa: PTH118
        print(f"Recording {DATASET} in Pendulum-v1")
        record(options.episodes)
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Train on everything and on the filtered part, over several seeds, and print the table."""
    import pytupli_registry  # noqa: PLC0415

    everything = pytupli_registry.load(DATASET).describe()
    filtered = pytupli_registry.load(DATASET, episodes=FILTER).describe()
    print(f"\nTraining d3rlpy's BC for {options.steps} steps, {options.seeds} seeds each")
    rows = []
    for name, condition, kept in (("everything", None, everything), (FILTER, FILTER, filtered)):
        scores = []
        for seed in range(options.seeds):
            scores.append(train_and_evaluate(condition, seed, options.steps, options.evaluations))
            print(f"  {name}, seed {seed}: {scores[-1]:8.1f}", flush=True)
        rows.append((name, kept, np.array(scores)))
    print(
        f"\n{'trained on':24} {'episodes':>8} {'data return':>12} {'policy return':>14} {'± std':>7} {'worst':>8}"
    )
    for name, kept, scores in rows:
        print(
            f"{name:24} {kept.episodes:8} {kept.returns.mean:12.1f} {scores.mean():14.1f} {scores.std():7.1f}"
            f" {scores.min():8.1f}"
        )
    print("\nThe line that loads the data:\n")
    print(f'  dataset, env = pytupli_d3rlpy.load("{DATASET}", episodes="{FILTER}")\n')


def quiet() -> None:
    """Turn off the notes that d3rlpy and the gym it imports print on every start."""
    import structlog  # noqa: PLC0415

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


if __name__ == "__main__":
    main()
