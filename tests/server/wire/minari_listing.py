"""What stock Minari does with an organization's files: the oracle of the guard's rules.

``python minari_listing.py ORGANIZATION…`` lists each of them with Minari's own command line and prints, one JSON
object a line, what happened. ``serve`` answers the few requests that this sends.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0" * 40


@contextmanager
def serve(organizations: dict[str, dict[str, dict[str, bytes]]]):
    """Serve ``{organization: {repository: {path: content}}}`` as a Hub would; yields the address."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one packet

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/api/datasets":
                author = parse_qs(url.query)["author"][0]
                found = [{"id": f"{author}/{name}"} for name in organizations.get(author, {})]
                self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})
                return
            kind, organization, name, *rest = [*unquote(url.path).split("/")[1:], "", "", ""]
            files = organizations.get(organization, {}).get(name)
            if kind != "datasets" or files is None:
                self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
                return
            content = files.get("/".join(rest[2:-3]))
            if content is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                return
            etag = hashlib.sha1(content).hexdigest()
            self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def list_all(organization: str) -> str | None:
    """List an organization as ``minari list`` and ``minari upload`` do; return what was raised, or None."""
    from minari.cli import list_cmd
    from minari.storage.remotes import get_cloud_storage

    try:
        for everything in (True, False):
            list_cmd(f"hf://{organization}", all=everything, prefix=None)
        list(get_cloud_storage(f"hf://{organization}").list_namespaces())
    except Exception as error:  # noqa: BLE001 - whatever it is, the listing has ended
        return f"{type(error).__name__}: {error}"[:300]
    return None


if __name__ == "__main__":
    sys.stdout, output = sys.stderr, sys.stdout
    for name in sys.argv[1:]:
        print(json.dumps({"organization": name, "error": list_all(name)}), file=output, flush=True)
