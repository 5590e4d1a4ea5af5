"""``pytupli benchmark make``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.benchmark.options import benchmark_argument, permission_options
from pytupli_registry.cli.benchmark.permission import explained, missing_requirements, planned
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    import gymnasium

    from pytupli_registry.benchmarks.benchmark import Benchmark

__all__ = ["command"]


@click.command("make")
@benchmark_argument
@permission_options
@click.option("--remember", is_flag=True, help="Remember the consent given here, on this machine.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and run nothing.")
@click.option(
    "--steps", type=click.IntRange(min=0), default=10, show_default=True, help="Random steps to take."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    reference: str,
    allow: tuple[str, ...],
    consent: tuple[str, ...],
    remember: bool,
    dry_run: bool,
    steps: int,
) -> None:
    """Build the environment of a benchmark, having said what runs, and take a few random steps.

    What is not registered with Gymnasium by an installed package runs only if it is allowed: installed modules by
    name (--allow, or PYTUPLI_ALLOWED_MODULES), code that came with the benchmark by its hash (--consent).
    """
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`

    if remember and (dry_run or not consent):
        raise click.UsageError("--remember goes with --consent, and not with --dry-run.")
    output, benchmark = ctx.ensure_object(Output), Benchmark.load(reference)
    plan = benchmark.plan(allow=allow, consent=consent)
    if not output.as_json:
        for line in str(plan).splitlines():
            output.line(line)
    missing = missing_requirements(benchmark.specification)
    if missing is not None:
        raise missing
    document: dict[str, Any] = {"benchmark": benchmark.name, "identity": benchmark.identity, **planned(plan)}
    with explained(ctx, benchmark, shown=True):
        plan.check()
        if dry_run:
            if not output.document(document):
                output.line("Nothing was run.")
            return
        if remember:
            _remember(benchmark, consent)
        with benchmark.make(allow=allow, consent=consent) as env:
            walked = _walk(env, steps)
    if not output.document({**document, **walked}):
        _show(output, walked)


def _remember(benchmark: Benchmark, consent: tuple[str, ...]) -> None:
    from pytupli_registry.config import ClientConfig  # noqa: PLC0415 - lazy
    from pytupli_registry.environments.consents import ConsentStore  # noqa: PLC0415

    names = {entry.sha256: name for name, entry in benchmark.specification.artifacts.items()}
    hashes = [digest.lower() for digest in consent]
    for digest in hashes:
        if digest not in names:
            raise ArtifactError(
                f"Nothing in the benchmark {benchmark.name!r} has the hash {digest!r:.80}.",
                hint="`pytupli benchmark make NAME --dry-run` says which hashes there are to consent to.",
            )
    store = ConsentStore(ClientConfig.from_environment().config_path)
    for digest in hashes:
        store.remember(digest, f"the artifact {names[digest]!r} of the benchmark {benchmark.name!r}")


def _walk(env: gymnasium.Env[Any, Any], steps: int) -> dict[str, Any]:
    """Take random steps, always the same ones, and say what came of them."""
    env.action_space.seed(0)
    env.reset(seed=0)
    rewards, episodes = [], 0
    for _ in range(steps):
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rewards.append(float(reward))
        if terminated or truncated:
            episodes += 1
            env.reset()
    return {
        "observation_space": str(env.observation_space),
        "action_space": str(env.action_space),
        "steps": steps,
        "episodes_ended": episodes,
        "rewards": rewards,
    }


def _show(output: Output, walked: dict[str, Any]) -> None:
    output.facts(
        {
            name.replace("_", " "): " ".join(walked[name].split())
            for name in ("observation_space", "action_space")
        }
    )
    rewards = walked["rewards"]
    if rewards:
        output.line(
            f"Took {len(rewards):,} random steps: the rewards sum up to {sum(rewards):.6g}, "
            f"{walked['episodes_ended']} episodes ended."
        )
