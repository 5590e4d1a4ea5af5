from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium
import minari
import pytest
from gymnasium.envs.registration import EnvSpec

from pytupli_minari import compact, to_minari
from pytupli_minari.environment import harmless, normalised
from pytupli_registry.errors import AdapterError, EnvironmentRefused
from pytupli_registry.storage.local import open_directory

CARTPOLE = gymnasium.spec("CartPole-v1").to_json()


def spec(**changes) -> str:
    return json.dumps(json.loads(CARTPOLE) | changes)


@pytest.fixture
def with_environment(write):
    """A Minari view of a dataset whose metadata name this environment."""

    def view(env_spec, eval_env_spec=None, dataset_id="robots/walk-v0"):
        dataset = open_directory(Path(write(dataset_id).spec.data_path))
        extra = {key: value for key, value in dataset.metadata.extra.items() if key != "eval_env_spec"}
        if eval_env_spec is not None:
            extra["eval_env_spec"] = eval_env_spec
        return to_minari(replace(dataset, metadata=replace(dataset.metadata, env_spec=env_spec, extra=extra)))

    return view


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that leaves a mark when it is imported, and when what is in it is called."""
    mark = tmp_path / "mark"
    module = "pytupli_trap_module"
    (tmp_path / f"{module}.py").write_text(
        f"open({str(mark)!r}, 'w').write('imported')\ndef spring(*args, **kwargs): raise SystemExit('called')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield module
    assert not mark.exists()
    assert module not in sys.modules


def hostile(trap) -> dict[str, str]:
    wrapper = {"name": "W", "entry_point": f"{trap}:spring", "kwargs": {}}
    other = json.loads(spec(entry_point=f"{trap}:spring"))
    return {
        "entry point": spec(entry_point=f"{trap}:spring"),
        "unknown id": spec(id="Unknown-v0", entry_point=f"{trap}:spring"),
        "id that imports": spec(id=f"{trap}:Unknown-v0", entry_point=None),
        "wrapper": spec(additional_wrappers=[wrapper]),
        "vector entry point": spec(id="Unknown-v0", vector_entry_point=f"{trap}:spring"),
        "two entry points": CARTPOLE[:-1] + f', "entry_point": "{trap}:spring"}}',
        "argument that is text": spec(kwargs={"xml_file": "/etc/passwd"}),
        "hidden by a newer key": json.dumps({**other, "autoreset": False}),
    }


@pytest.mark.parametrize("name", hostile("x"))
def test_nothing_the_data_names_is_imported_or_called(name, trap, with_environment):
    env_spec = hostile(trap)[name]
    try:
        ours = with_environment(env_spec, env_spec)
    except AdapterError:
        assert name == "id that imports"  # Gymnasium refuses the id
        return
    for evaluating in (False, True):
        with pytest.raises(EnvironmentRefused):
            ours.recover_environment(eval_env=evaluating)
        with pytest.raises(EnvironmentRefused):
            ours.filter_episodes(lambda episode: True).recover_environment(eval_env=evaluating)
    # What Minari derives is Minari's own class: it must not get anything dangerous in the first place.
    (part,) = minari.split_dataset(ours, [2], seed=0)
    (part_of_part,) = minari.split_dataset(part, [1], seed=0)
    combined = minari.combine_datasets([compact(part)], "joined-v0")
    for derived in (part, part_of_part, combined, minari.load_dataset("joined-v0")):
        with pytest.raises(gymnasium.error.Error, match="entry_point is not specified"):
            derived.recover_environment()


def test_the_registered_environment_is_built(with_environment):
    ours = with_environment(CARTPOLE, spec(max_episode_steps=7))
    env = ours.recover_environment()
    assert env.spec.id == "CartPole-v1"
    assert env.spec.max_episode_steps == 500
    assert ours.recover_environment(eval_env=True).spec.max_episode_steps == 7
    assert ours.recover_environment(render_mode="rgb_array").render_mode == "rgb_array"
    assert ours.env_spec == EnvSpec.from_json(CARTPOLE)


def test_evaluation_falls_back_as_in_minari(with_environment):
    ours = with_environment(CARTPOLE)
    assert ours.recover_environment(eval_env=True).spec.id == "CartPole-v1"
    with pytest.raises(ValueError, match="env_spec is None"):
        with_environment(None, dataset_id="robots/stand-v0").recover_environment()


def test_an_environment_that_is_registered_later_is_built_then(with_environment):
    entry_point = json.loads(CARTPOLE)["entry_point"]
    ours = with_environment(spec(id="MyCartPole-v5", entry_point=entry_point))
    with pytest.raises(EnvironmentRefused, match="MyCartPole-v5"):
        ours.recover_environment()
    gymnasium.register("MyCartPole-v5", entry_point)
    try:
        assert ours.recover_environment().spec.id == "MyCartPole-v5"
    finally:
        del gymnasium.registry["MyCartPole-v5"]


@pytest.mark.parametrize(
    "env_spec",
    ["", "no json", "[]", "3", "{}", '{"id": "X-v0"', spec(id=3), spec(id="no/such/id!"), spec(surprise=1),
     spec(additional_wrappers=5), spec(additional_wrappers=[{"a": 1}]), spec(additional_wrappers=[3]),
     "[" * 100_000, 5, {"id": "CartPole-v1"}],
)  # fmt: skip
def test_a_malformed_specification_is_a_clear_error(env_spec, with_environment):
    with pytest.raises(AdapterError, match="no Gymnasium environment specification") as caught:
        with_environment(CARTPOLE, env_spec)
    assert "eval_env_spec" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_older_specifications_are_read(with_environment):
    old = json.loads(CARTPOLE) | {"order_enforce": True, "apply_api_compatibility": False, "autoreset": False}
    ours = with_environment(json.dumps(old))
    assert ours.env_spec == EnvSpec.from_json(CARTPOLE)
    assert ours.recover_environment().spec.id == "CartPole-v1"


def test_text_that_minari_would_cut_out_is_refused():
    # Minari removes '"order_enforce": true,' as text: inside a key it would change what the rest of the JSON means.
    sneaky = spec(kwargs={'x"order_enforce': True, "gravity": 9.8})
    assert '"order_enforce": true,' in sneaky
    with pytest.raises(AdapterError, match="hides text"):
        normalised(sneaky)


def test_what_may_be_built_is_left_as_it_is():
    assert EnvSpec.from_json(harmless(CARTPOLE)) == EnvSpec.from_json(CARTPOLE)
    refused = EnvSpec.from_json(harmless(spec(id="Unknown-v0", kwargs={"a": 1})))
    assert (refused.id, refused.entry_point, refused.kwargs) == ("Unknown-v0", None, {"a": 1})
