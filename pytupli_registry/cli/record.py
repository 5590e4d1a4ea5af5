"""``pytupli record``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    import gymnasium

__all__ = ["command"]


@click.command("record")
@click.argument("environment_id", metavar="ENV_ID")
@click.argument("dataset_id")
@click.option(
    "--episodes", "count", type=click.IntRange(min=1), default=100, show_default=True, help="How many."
)
@click.option("--policy", type=click.Choice(["random", "constant"]), default="random", show_default=True)
@click.option("--action", "action_text", metavar="JSON", help="The action of the constant policy.")
@click.option("--seed", type=click.IntRange(min=0), help="Episode i is reset with SEED + i; drawn otherwise.")
@click.option("--max-steps", type=click.IntRange(min=1), help="A time limit other than the registered one.")
@click.option("--append", is_flag=True, help="Add to a dataset that exists.")
@click.option("--author", help="Kept with the dataset.")
@click.option("--description", help="Kept with the dataset.")
@json_option
@click.pass_obj
def command(
    output: Output,
    environment_id: str,
    dataset_id: str,
    count: int,
    policy: str,
    action_text: str | None,
    seed: int | None,
    max_steps: int | None,
    append: bool,
    author: str | None,
    description: str | None,
) -> None:
    """Record episodes of a Gymnasium environment into a local dataset."""
    from pytupli_registry.environments.stored import build_environment  # noqa: PLC0415 - lazy
    from pytupli_registry.recorder import Recorder  # noqa: PLC0415

    env = build_environment(environment_id, max_episode_steps=max_steps)
    act = _policy(env, policy, action_text, seed)
    extra = {"author": author, "description": description, "algorithm_name": policy}
    known = {name: value for name, value in extra.items() if value is not None}
    recorder = Recorder(
        env, dataset_id, policy=policy, autoseed=True, append=append, extra=None if append else known
    )
    with recorder, output.progress(f"Recording {dataset_id}", count) as advance:
        for number in range(count):
            steps = _run(recorder, act, None if seed is None else seed + number)
            advance(1 if steps else 0)
    recorded = recorder.episodes_recorded
    if not output.document({"dataset_id": dataset_id, "episodes": recorded}):
        output.line(f"Recorded {recorded:,} episodes in {dataset_id}.")


def _run(env: gymnasium.Env[Any, Any], act: Callable[[], Any], seed: int | None) -> int:
    env.reset(seed=seed)
    steps = 0
    while True:
        _, _, terminated, truncated, _ = env.step(act())
        steps += 1
        if terminated or truncated:
            return steps


def _policy(
    env: gymnasium.Env[Any, Any], policy: str, action_text: str | None, seed: int | None
) -> Callable[[], Any]:
    if policy == "random":
        if action_text is not None:
            raise click.UsageError("--action goes with --policy constant.")
        env.action_space.seed(seed)
        return env.action_space.sample
    if action_text is None:
        raise click.UsageError("--policy constant needs --action.")
    action = _parse_action(env, action_text)
    return lambda: action


def _parse_action(env: gymnasium.Env[Any, Any], text: str) -> Any:  # noqa: ANN401 - whatever the space holds
    import numpy as np  # noqa: PLC0415

    dtype = env.action_space.dtype
    try:
        given = json.loads(text)
        action = given if dtype is None else np.asarray(given, dtype=dtype)[()]
    except (OverflowError, TypeError, ValueError) as error:
        raise click.BadParameter(f"{text!r} is no action: {error}", param_hint="--action") from error
    if dtype is not None and dtype.kind in "iu" and not np.array_equal(action, given):
        raise click.BadParameter(f"{text!r} is not made of integers", param_hint="--action")
    if not env.action_space.contains(action):
        raise click.BadParameter(f"{text!r} is not in {env.action_space}", param_hint="--action")
    return action
