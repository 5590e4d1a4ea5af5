"""``python -m http.server`` with what clients of a Hub want: keep-alive, ranges, an ETag and a commit."""

from __future__ import annotations

import os
import re
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Files(SimpleHTTPRequestHandler):
    """Sends files of a directory, or one range of them."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        with Path(self.translate_path(self.path)).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
            self.send_response(206 if asked else 200)
            self.send_header("ETag", f'"{size:040x}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(end - start))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            if with_body:
                self.wfile.flush()
                self.connection.sendfile(file, start, end - start)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    port, directory, COMMIT = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.chdir(directory)
    ThreadingHTTPServer(("127.0.0.1", port), Files).serve_forever()
