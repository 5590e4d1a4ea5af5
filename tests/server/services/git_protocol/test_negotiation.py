"""Which commits a client is sent, over all small histories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.git_protocol.negotiation import History, select_commits
from pytupli_registry.server.wire.upload_pack import FetchRequest


def oid(number: int) -> str:
    return f"{number:040x}"


@st.composite
def parents(draw: st.DrawFn) -> dict[str, str | None]:
    """A forest: every commit's parent is an earlier one, or none."""
    count = draw(st.integers(1, 12))
    return {
        oid(number): draw(st.sampled_from([None, *(oid(earlier) for earlier in range(number))]))
        for number in range(count)
    }


def chain(graph: dict[str, str | None], tip: str) -> list[str]:
    found: list[str] = []
    step: str | None = tip
    while step is not None:
        found.append(step)
        step = graph[step]
    return found


def history_of(graph: dict[str, str | None], tips: list[str]) -> History:
    return History(graph, dict.fromkeys(graph, "4" * 40), tips)


@given(parents(), st.data())
def test_a_client_gets_what_it_lacks(graph: dict[str, str | None], data: st.DataObject) -> None:
    some = st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=3)
    wants, haves = data.draw(some), data.draw(some)
    unknown = ["f" * 40]
    selection = select_commits(
        history_of(graph, sorted(graph)), FetchRequest(wants=wants, haves=haves + unknown)
    )
    there = {commit for have in haves for commit in chain(graph, have)}
    needed = {commit for want in wants for commit in chain(graph, want)}
    assert selection.commits == needed - there
    assert selection.common == haves
    assert selection.enough == all(there & set(chain(graph, want)) for want in wants)
    assert (selection.shallow, selection.unshallow, selection.edges) == ([], [], frozenset())


@given(parents(), st.data())
def test_a_shallow_client_gets_so_many(graph: dict[str, str | None], data: st.DataObject) -> None:
    wants = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=3))
    depth = data.draw(st.integers(1, 5))
    selection = select_commits(history_of(graph, sorted(graph)), FetchRequest(wants=wants, depth=depth))
    needed = {commit for want in wants for commit in chain(graph, want)[:depth]}
    assert selection.commits == needed
    assert selection.shallow == sorted(c for c in needed if graph[c] is not None and graph[c] not in needed)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.booleans())
def test_deepening_and_cutting(length: int, before: int, depth: int, relative: bool) -> None:
    graph: dict[str, str | None] = {
        oid(number): oid(number - 1) if number else None for number in range(length)
    }
    newest_first = chain(graph, oid(length - 1))
    there = newest_first[:before]
    edge = [there[-1]] if graph[there[-1]] is not None else []
    request = FetchRequest(
        wants=newest_first[:1], haves=there, shallow=edge, depth=depth, relative=relative and bool(edge)
    )
    selection = select_commits(history_of(graph, newest_first[:1]), request)
    total = min(length, len(there) + depth if request.relative else depth)
    assert selection.commits == set(newest_first[:total]) - set(there)
    new_edge = [newest_first[total - 1]] if total < length else []
    assert selection.shallow == [one for one in new_edge if one not in edge]
    assert selection.unshallow == [one for one in edge if one in newest_first[:total] and one not in new_edge]


def test_only_what_refs_lead_to_exists() -> None:
    graph = {oid(0): None, oid(1): oid(0), oid(2): oid(0)}
    history = history_of(graph, [oid(1)])
    assert oid(2) not in history
    with pytest.raises(BadRequest, match="not our ref"):
        select_commits(history, FetchRequest(wants=[oid(2)]))
    assert select_commits(history, FetchRequest(wants=[oid(1)], haves=[oid(2)])).common == []


def test_a_shallow_client_is_not_sent_what_it_left_behind() -> None:
    graph: dict[str, str | None] = {oid(number): oid(number - 1) if number else None for number in range(5)}
    history = history_of(graph, [oid(4)])
    request = FetchRequest(wants=[oid(4)], haves=[oid(3)], shallow=[oid(3)])
    assert select_commits(history, request).commits == {oid(4)}
