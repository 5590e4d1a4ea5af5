"""A real S3 server on the loopback: moto's, in a process of its own, so that it can be stopped."""

import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from itertools import count
from pathlib import Path
from typing import Self

ACCESS_KEY = "AKIDTESTTESTTESTTEST"
SECRET_KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYtestsecret"
_STARTS_WITHIN_S = 60


class S3Server:
    """Moto's S3, started on entering the context and stopped on leaving it.

    ``url()`` and ``options()`` are what ``objects_url`` and ``objects_options`` of a Hub's settings take.
    """

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryDirectory()
        path = Path(self._log.name) / "log"
        with path.open("wb") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._names = count(1)
        self.port = self._wait_for_port(path)
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self._log.cleanup()

    def stop(self) -> None:
        """End the process, with everything that was stored."""
        self._process.kill()
        self._process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str = "hub") -> str:
        """Make a new bucket, and return the URL of a prefix of it."""
        name = f"bucket-{next(self._names)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            return f"s3://{name}/{prefix}"

    def options(self, **others: str) -> dict[str, str]:
        """Return options for ``open_store`` that find this server, and fail fast."""
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
            "max_retries": "1",
            "retry_timeout": "5",
            **others,
        }

    def _wait_for_port(self, log: Path) -> int:
        for _ in range(_STARTS_WITHIN_S * 20):
            if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", log.read_text()):
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"moto did not start: {log.read_text()}")
