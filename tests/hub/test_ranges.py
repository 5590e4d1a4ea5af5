import http.server
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest

from pytupli_registry.errors import ChecksumError, FileNotInRepository, HubError, HubUnreachable
from pytupli_registry.hub import ranges
from pytupli_registry.hub.pacing import Pace, wait_asked_for
from pytupli_registry.hub.ranges import RangesRefused, RemoteBytes
from pytupli_registry.hub.snapshots import Hub, RemoteFile

CONTENT = bytes(range(256)) * 40
COMMIT = "a" * 40
FILE = RemoteFile("data/main_data.hdf5", len(CONTENT), "b" * 40, "c" * 64)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server that answers as a test says: for headers that no proper server sends."""

    port: int
    answer: Callable[[Request], tuple[int, dict[str, str], bytes]]
    asked: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def ranged(request, content=CONTENT, **headers):
    first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
    return (
        206,
        {"Content-Range": f"bytes {first}-{last}/{len(content)}", **headers},
        content[first : last + 1],
    )


def serve() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            request = Request(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}
            )
            server.asked.append(request)
            status, headers, body = server.answer(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)
            if int(headers.get("Content-Length", len(body))) != len(body):
                self.close_connection = True

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(listener.server_port, ranged)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def remote(server: Server, tmp_path, monkeypatch) -> RemoteBytes:
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path))
    return RemoteBytes(Hub(server.url, "hf_secret"), "acme/hvac", COMMIT, FILE)


def read(remote, start, stop):
    found = bytearray()

    def take(place, piece):
        assert place == start + len(found)
        found.extend(piece)

    remote.read([(start, stop)], take)
    return bytes(found)


def test_a_range_is_that_range(server, remote):
    assert read(remote, 100, 5000) == CONTENT[100:5000]
    assert server.asked[0].headers["range"] == "bytes=100-4999"
    assert server.asked[0].headers["authorization"] == "Bearer hf_secret"
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert server.asked[0].path == f"/datasets/acme/hvac/resolve/{COMMIT}/data/main_data.hdf5"


def test_the_token_goes_to_the_hub_only(server, elsewhere, remote):
    server.answer = lambda _: (302, {"Location": f"{elsewhere.url}/blob?signed=1"}, b"")
    assert read(remote, 0, 10) == CONTENT[:10]
    assert read(remote, 10, 20) == CONTENT[10:20]
    assert len(server.asked) == 1  # the signed place is used again
    assert [request.path for request in elsewhere.asked] == ["/blob?signed=1"] * 2
    assert not any("authorization" in request.headers for request in elsewhere.asked)


def test_a_signed_url_that_expires_is_asked_for_again(server, elsewhere, remote):
    issued = []

    def sign(_):
        issued.append(len(issued))
        return 302, {"Location": f"{elsewhere.url}/blob?n={len(issued)}"}, b""

    server.answer = sign
    elsewhere.answer = lambda request: (
        ranged(request) if request.path.endswith(f"n={len(issued)}") else (403, {}, b"expired")
    )
    assert read(remote, 0, 10) == CONTENT[:10]
    issued.append(0)  # time passes
    assert read(remote, 10, 20) == CONTENT[10:20]
    assert len(server.asked) == 2


def test_a_redirect_in_the_hub_keeps_the_token(server, remote):
    server.answer = lambda request: (
        ranged(request)
        if request.path.startswith("/moved")
        else (307, {"Location": "/moved" + request.path}, b"")
    )
    assert read(remote, 3, 9) == CONTENT[3:9]
    assert server.asked[-1].headers["authorization"] == "Bearer hf_secret"


def test_redirects_end(server, remote):
    server.answer = lambda _: (302, {"Location": "/again"}, b"")
    with pytest.raises(HubError, match="from place to place"):
        read(remote, 0, 10)


def test_a_server_without_ranges_says_so(server, remote):
    server.answer = lambda _: (200, {}, CONTENT)
    with pytest.raises(RangesRefused):
        read(remote, 10, 20)
    found = bytearray()
    remote.read_whole(lambda _, piece: found.extend(piece))
    assert bytes(found) == CONTENT
    assert "range" not in server.asked[-1].headers


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"Content-Range": f"bytes 0-9/{len(CONTENT) + 1}"}, "another file"),
        ({"X-Repo-Commit": "d" * 40}, "of commit"),
        ({"Content-Encoding": "gzip"}, "encoding"),
    ],
)
def test_other_bytes_are_refused(server, remote, headers, problem):
    server.answer = lambda request: ranged(request, **headers)
    with pytest.raises((ChecksumError, HubError), match=problem):
        read(remote, 0, 10)


def test_versions_do_not_mix(server, remote):
    server.answer = lambda request: ranged(request, ETag='"one"')
    assert read(remote, 0, 10) == CONTENT[:10]
    server.answer = lambda request: ranged(request, ETag='"two"')
    with pytest.raises(ChecksumError, match="replaced while it was read"):
        read(remote, 10, 20)
    assert server.asked[-1].headers["if-range"] == '"one"'


@pytest.mark.parametrize("wrong", ["bytes 1-10/10240", "bytes 0-8/10240", "10-20", ""])
def test_a_range_nobody_asked_for_is_asked_for_again(server, remote, wrong):
    def answer(request):
        status, headers, body = ranged(request)
        return status, {**headers, "Content-Range": wrong} if len(server.asked) == 1 else headers, body

    server.answer = answer
    assert read(remote, 0, 10) == CONTENT[:10]
    assert len(server.asked) == 2


def test_a_lost_connection_is_taken_up_where_it_was(server, remote):
    def half(request):
        status, headers, body = ranged(request)
        if len(server.asked) < 4:
            return status, {**headers, "Content-Length": str(len(body))}, body[: len(body) // 2]
        return status, headers, body

    server.answer = half
    assert read(remote, 0, 8000) == CONTENT[:8000]
    starts = [int(request.headers["range"].split("=")[1].split("-")[0]) for request in server.asked]
    assert starts == [0, 4000, 6000, 7000]


def test_retries_wait_as_long_as_the_server_asks(server, remote):
    def busy(request):
        if len(server.asked) == 1:
            return 429, {"RateLimit": '"api";r=0;t=1'}, b""
        return (503, {"Retry-After": "0"}, b"") if len(server.asked) == 2 else ranged(request)

    server.answer = busy
    began = time.monotonic()
    assert read(remote, 0, 10) == CONTENT[:10]
    assert 1 <= time.monotonic() - began < 10
    assert len(server.asked) == 3


def test_it_gives_up_some_time(server, remote, monkeypatch):
    monkeypatch.setattr(ranges, "ATTEMPTS", 3)
    server.answer = lambda _: (500, {}, b"")
    with pytest.raises(HubUnreachable, match="answers 500"):
        read(remote, 0, 10)
    assert len(server.asked) == 3


def test_refusals_are_told(server, remote):
    server.answer = lambda _: (404, {}, b"")
    with pytest.raises(FileNotInRepository):
        read(remote, 0, 10)
    server.answer = lambda _: (403, {"X-Error-Message": "not for you"}, b"")
    with pytest.raises(HubError, match="not for you"):
        read(remote, 0, 10)
    assert len(server.asked) == 2


def test_what_answers_ask_for():
    assert wait_asked_for({"retry-after": "7"}) == 7
    assert wait_asked_for({"ratelimit": '"api";r=0;t=55'}) == 55
    assert wait_asked_for({"ratelimit": '"api";r=3;t=55'}) is None
    assert wait_asked_for({"retry-after": "soon"}) is None
    in_a_minute = wait_asked_for({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert 55 < in_a_minute <= 60


def test_speed_is_measured_on_the_way():
    pace = Pace()
    for _ in range(30):
        pace.saw_latency(0.1)
        pace.saw_transfer(10_000_000, 1.0)
    assert pace.speed.latency == pytest.approx(0.1, rel=0.1)
    assert pace.speed.bandwidth == pytest.approx(1e7, rel=0.1)
    for size, seconds in ((100, 10.0), (1_000_000, 10.0)):  # tells nothing, or only that it is not slower
        pace.saw_transfer(size, seconds)
    assert pace.speed.bandwidth == pytest.approx(1e7, rel=0.1)
    pace.saw_requests(3, 300, 9.0)
    assert pace.speed.request is None
    pace.saw_requests(100, 30_000, 0.5)
    assert pace.speed.request == pytest.approx(0.005, rel=0.05)


PAIRS = [(0, 10), (100, 110), (110, 200), (1000, 3000), (9000, 9500)]


def several(request, content=CONTENT, **headers):
    """Answer as a server that knows several ranges, and says so."""
    pairs = [
        tuple(map(int, one.split("-"))) for one in request.headers["range"].removeprefix("bytes=").split(",")
    ]
    if len(pairs) == 1:
        status, told, body = ranged(request, content)
        return status, {**told, "X-Max-Ranges": "3", **headers}, body
    body = b"".join(
        b"\r\n--xyz\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (first, last, len(content))
        + content[first : last + 1]
        for first, last in pairs
    )
    return 206, {"Content-Type": "multipart/byteranges; boundary=xyz", **headers}, body + b"\r\n--xyz--\r\n"


def collected(remote, pairs):
    found = {}

    def take(place, piece):
        found[place] = bytes(piece)

    remote.read(pairs, take)
    joined = [
        b"".join(found[place] for place in sorted(found) if start <= place < stop) for start, stop in pairs
    ]
    assert joined == [CONTENT[start:stop] for start, stop in pairs]


def asked_ranges(server):
    return [request.headers["range"].removeprefix("bytes=") for request in server.asked]


def test_several_ranges_in_one_request_where_the_server_offers_that(server, remote):
    server.answer = several
    assert remote.most_ranges is None
    collected(remote, PAIRS)
    assert remote.most_ranges == 3
    assert asked_ranges(server) == ["0-9", "100-109,110-199,1000-2999", "9000-9499"]


def test_a_server_is_asked_once_how_many_ranges_it_takes(server, remote):
    server.answer = lambda _: (200, {"X-Max-Ranges": "7"}, b"")
    assert [remote.ask_most_ranges() for _ in range(3)] == [7, 7, 7]
    assert [request.method for request in server.asked] == ["HEAD"]


@pytest.mark.parametrize("status", [404, 429, 503])
def test_a_server_that_is_busy_when_it_is_asked_may_tell_later(server, remote, status):
    server.answer = lambda request: several(request) if "range" in request.headers else (status, {}, b"")
    assert [remote.ask_most_ranges() for _ in range(3)] == [1, 1, 1]
    assert len(server.asked) == 1
    collected(remote, PAIRS)
    assert remote.ask_most_ranges() == 3


def test_a_server_that_says_nothing_takes_one_range(server, elsewhere, remote):
    server.answer = lambda _: (302, {"Location": f"{elsewhere.url}/blob"}, b"")
    assert [remote.ask_most_ranges() for _ in range(2)] == [1, 1]
    assert (len(server.asked), len(elsewhere.asked)) == (1, 0)


def test_one_range_at_a_time_where_it_offers_nothing(server, remote):
    collected(remote, PAIRS)
    assert remote.most_ranges == 1
    assert len(server.asked) == len(PAIRS)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda _: (200, {}, CONTENT),
        lambda _: (206, {"Content-Range": f"bytes 0-9/{len(CONTENT)}"}, CONTENT[:10]),
        lambda _: (206, {"Content-Type": "multipart/byteranges; boundary=abc"}, b"--abc--\r\n"),
        lambda _: (206, {"Content-Type": "multipart/byteranges"}, b"nothing"),
        lambda _: (416, {"Content-Range": f"bytes */{len(CONTENT)}"}, b""),
        lambda _: (400, {}, b""),
        lambda _: (431, {}, b""),
        lambda request: several(request, CONTENT + b"!"),
    ],
)
def test_a_promise_that_somebody_on_the_way_does_not_keep(server, remote, refusal):
    server.answer = lambda request: refusal(request) if "," in request.headers["range"] else several(request)
    collected(remote, PAIRS)
    assert remote.most_ranges == 1
    assert sum("," in asked for asked in asked_ranges(server)) == 1


def test_what_came_of_several_ranges_is_not_asked_for_again(server, remote):
    def answer(request):
        status, headers, body = several(request)
        if "," in request.headers["range"] and len(server.asked) == 2:
            return status, {**headers, "Content-Length": str(len(body))}, body[:1500]
        return status, headers, body

    server.answer = answer
    collected(remote, PAIRS)
    assert asked_ranges(server)[1] == "100-109,110-199,1000-2999"
    first = int(asked_ranges(server)[2].split("-")[0])
    assert 1000 < first < 3000


@pytest.mark.parametrize("said", ["", "0", "-3", "1e3", "many", "99999999999", "٣"])
def test_numbers_of_ranges_that_are_none(server, remote, said):
    server.answer = lambda request: (
        *ranged(request)[:1],
        {**ranged(request)[1], "X-Max-Ranges": said.encode().decode("latin-1")},
        ranged(request)[2],
    )
    collected(remote, PAIRS)
    assert remote.most_ranges == 1
