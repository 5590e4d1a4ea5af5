from __future__ import annotations

import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage

from pytupli_minari import PytupliStorage
from pytupli_registry.errors import WriteError
from pytupli_registry.storage.local import open_directory


def test_every_episode_is_what_stock_minari_reads(pair_of_any_kind, assert_same_episode):
    stock, ours = pair_of_any_kind
    assert len(ours) == len(stock) == 4
    for found, expected in zip(ours, stock, strict=True):
        assert_same_episode(found, expected)


def test_every_episode_is_the_same_from_our_layout(pair_of_any_kind, in_columns, assert_same_episode):
    stock, _ = pair_of_any_kind
    ours = in_columns(stock)
    assert ours.storage.data_path != stock.storage.data_path
    for found, expected in zip(ours, stock, strict=True):
        assert_same_episode(found, expected)
    facts = range(4)
    assert list(ours.storage.get_episode_metadata(facts)) == list(stock.storage.get_episode_metadata(facts))


def test_storage_facts_are_stock_minaris(pair_of_any_kind):
    stock, ours = (dataset.storage for dataset in pair_of_any_kind)
    assert isinstance(ours, MinariStorage)
    found, expected = ours.metadata, stock.metadata
    evaluation = [EnvSpec.from_json(facts.pop("eval_env_spec")) for facts in (found, expected)]
    assert evaluation[0] == evaluation[1]
    assert found == expected
    assert (ours.total_episodes, ours.total_steps) == (stock.total_episodes, stock.total_steps) == (4, 14)
    assert (ours.observation_space, ours.action_space) == (stock.observation_space, stock.action_space)
    assert ours.jpeg_encoding == stock.jpeg_encoding
    assert ours.get_size() == stock.get_size()
    assert str(ours.data_path) == str(stock.data_path)


def test_episode_metadata_is_stock_minaris(pair):
    stock, ours = pair()
    stock.storage.update_episode_metadata(
        [{"month": "May", "expert": True}, {"month": "June", "expert": False}], [0, 2]
    )
    stored = PytupliStorage(open_directory(ours.storage.data_path))
    expected = list(stock.storage.get_episode_metadata(range(4)))
    assert list(stored.get_episode_metadata(range(4))) == expected
    assert expected[2]["options"] == {"mass": 3.5, "wind": {"speed": 2}}
    assert "seed" not in expected[1]


def test_filtered_episodes_are_numbered_anew_and_know_their_source(pair, assert_same_episode):
    stock, ours = pair(episodes="length >= 4")
    assert ours.episode_indices.tolist() == [0, 1]
    assert [episode.id for episode in ours] == [0, 1]
    for found, source in zip(ours, (1, 3), strict=True):
        assert_same_episode(found, stock[source], ids=False)
    metadata = list(ours.storage.get_episode_metadata([0, 1]))
    assert [(facts["id"], facts["source_episode"], facts["total_steps"]) for facts in metadata] == [
        (0, 1, 5),
        (1, 3, 4),
    ]
    assert [facts.get("seed") for facts in metadata] == [None, 103]
    assert (ours.storage.metadata["total_episodes"], ours.storage.metadata["total_steps"]) == (2, 9)


def test_runs_of_steps_are_episodes(pair):
    stock, ours = pair(
        "nested", steps="step != 1"
    )  # T = 3, 5, 2, 4: the first step, and all from the third on
    found = list(ours)
    assert [len(episode) for episode in found] == [1, 1, 1, 3, 1, 1, 2]
    sources = [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (3, 0), (3, 2)]
    for run, (source, first) in zip(found, sources, strict=True):
        episode, stop = stock[source], first + len(run)
        np.testing.assert_array_equal(run.rewards, episode.rewards[first:stop])
        np.testing.assert_array_equal(run.actions[1], episode.actions[1][first:stop])
        np.testing.assert_array_equal(run.observations["z"], episode.observations["z"][first : stop + 1])
        word = episode.observations["arm"][1]["word"]
        assert run.observations["arm"][1]["word"] == word[first : stop + 1]
        joints = episode.infos["arm"]["joints"]
        np.testing.assert_array_equal(run.infos["arm"]["joints"], joints[first : stop + 1])
        assert run.terminations.tolist() == episode.terminations[first:stop].tolist()
        assert run.truncations[-1] == (not run.terminations[-1])
        assert not run.truncations[:-1].any()
    metadata = list(ours.storage.get_episode_metadata(range(7)))
    assert [(facts["source_episode"], facts["source_step"]) for facts in metadata] == sources
    assert [facts.get("seed") for facts in metadata] == [100, None, None, None, 102, 103, None]
    assert ["options" in facts for facts in metadata] == [False, False, True, False, True, True, False]
    assert (ours.total_episodes, ours.total_steps) == (7, 10)


def test_images_of_runs(pair):
    stock, ours = pair("jpeg", steps="step >= 1")
    np.testing.assert_array_equal(ours[1].observations["camera"], stock[1].observations["camera"][1:])


@pytest.mark.parametrize("chosen", [{"episodes": "length > 99"}, {"steps": "step > 99"}])
def test_filters_that_keep_nothing_leave_no_episodes(pair, chosen):
    _, ours = pair(**chosen)
    assert (len(ours), ours.total_steps, list(ours)) == (0, 0, [])


def test_writing_into_an_episode_changes_nothing_else(pair, in_columns):
    stock, _ = pair("infos-nested")
    ours = in_columns(stock)
    episode = ours[0]
    for values in (episode.observations, episode.actions, episode.rewards, episode.infos["energy"]):
        assert values.flags.owndata
        values[...] = 0
    np.testing.assert_array_equal(ours[0].observations, stock[0].observations)
    np.testing.assert_array_equal(ours[0].infos["energy"], stock[0].infos["energy"])


def test_apply(pair):
    stock, ours = pair()
    expected = list(stock.storage.apply(lambda episode: episode["rewards"].sum()))
    assert list(ours.storage.apply(lambda episode: episode["rewards"].sum())) == expected
    assert list(ours.storage.apply(lambda episode: episode["id"], [2, 0])) == [2, 0]


@pytest.mark.parametrize("index", [4, -1, 1 << 40])
def test_an_episode_that_is_not_there_is_a_key_error_as_in_minari(pair, index):
    for dataset in pair():
        with pytest.raises(KeyError, match=f"episode_{index}"):
            list(dataset.storage.get_episodes([index]))
        with pytest.raises(KeyError, match=f"episode_{index}"):
            list(dataset.storage.get_episode_metadata([index]))


def test_the_view_is_read_only(pair):
    stock, ours = pair()
    storage = ours.storage
    for write in (
        lambda: ours.update_dataset_from_buffer([EpisodeBuffer()]),
        lambda: storage.update_episodes([EpisodeBuffer()]),
        lambda: storage.update_metadata({"description": "other"}),
        lambda: storage.update_episode_metadata([{"month": "May"}], [0]),
        lambda: storage.update_from_storage(stock.storage),
    ):
        with pytest.raises(WriteError, match=r"'robots/walk-v0' is read-only.*pytupli_registry\.append"):
            write()
    assert len(ours) == 4


def test_the_view_creates_no_files(tmp_path):
    with pytest.raises(WriteError, match="cannot create one"):
        PytupliStorage._create(tmp_path, None, None)
