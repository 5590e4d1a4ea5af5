"""FrozenLake and Taxi-v3: value iteration on the published transition table.

Idea: Bellman's backups V(s) ← max_a Σ p (r + 0.999 V(s')) until they stop changing give the optimal greedy table
(Sutton & Barto, chapter 4). The table ``env.unwrapped.P`` is read once, when the policy is made; an action
is then a look-up by observation. The medium policies are the expert with uniform actions mixed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium
    from numpy.typing import NDArray

__all__ = ["expert", "frozen_lake_medium", "greedy_table", "taxi_medium"]

Transitions = dict[int, dict[int, list[tuple[float, int, float, bool]]]]

_DISCOUNT = 0.999
_TOLERANCE = 1e-12
_DECIMALS = 9  # ties are ties on every machine, and go to the first action


def _arrays(table: Transitions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The expected reward (states, actions) and the matrix (states, actions, states) of going on."""
    states, actions = len(table), len(table[0])
    reward, onward = np.zeros((states, actions)), np.zeros((states, actions, states))
    for state, by_action in table.items():
        for action, outcomes in by_action.items():
            for probability, successor, gain, terminated in outcomes:
                reward[state, action] += probability * gain
                onward[state, action, successor] += probability * (not terminated)
    return reward, onward


def greedy_table(table: Transitions, sweeps: int = 100_000) -> NDArray[np.int64]:
    """The greedy action of every state, int64 (states,), after value iteration.

    Args:
        table: ``P[state][action] = [(probability, next state, reward, terminated), …]``.
        sweeps: stop after so many at the latest.
    """
    reward, onward = _arrays(table)
    values: NDArray[np.float64] = np.zeros(len(reward))
    for _ in range(sweeps):
        worth = reward + _DISCOUNT * (onward @ values)
        improved = worth.max(axis=1)
        converged = np.abs(improved - values).max() < _TOLERANCE
        values = improved
        if converged:
            break
    worth = reward + _DISCOUNT * (onward @ values)
    greedy: NDArray[np.int64] = worth.round(_DECIMALS).argmax(axis=1)
    return greedy


def expert(env: gymnasium.Env[Any, Any]) -> Controller:
    """The optimal table of FrozenLake or Taxi."""
    actions = greedy_table(env.unwrapped.P)  # type: ignore[attr-defined]
    return StatelessController(lambda observation: int(actions[observation]))


def frozen_lake_medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """The optimal table, but three of twenty actions are uniform."""
    return noisy(expert(env), 0.15, env.action_space)


def taxi_medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """The optimal table, but six of ten actions are uniform."""
    return noisy(expert(env), 0.6, env.action_space)
