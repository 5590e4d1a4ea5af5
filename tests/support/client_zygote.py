"""Starts clients in no time: everything is imported, each client is a fork of this process and can be killed.

Arguments are names of more modules to import. Reads lines of JSON from standard input and answers each with a line:

* ``{"work": "load" | "publish" | "pytupli" | "script", "environment": {…}, "arguments": {…}, "answer": PATH, "largest_file": N}`` starts a
  client and answers with its process id; what it has to say lies in ``PATH`` when it has ended;
* ``{"wait": PID}`` answers with its exit status once it has ended: negative for a signal.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import runpy
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from huggingface_hub import constants

import pytupli_registry
from pytupli_registry import cli
from pytupli_registry.errors import PytupliError
from pytupli_registry.hub import http, ranges

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 2.0  # with a server that says nothing


def load(reference: str, episodes: str | None = None) -> dict[str, Any]:
    """Load a dataset and return the hash of everything that was delivered."""
    dataset = pytupli_registry.load(reference, episodes=episodes)
    return {"digest": digest(dataset.columns()), "episodes": len(dataset)}


def digest(columns: dict[str, np.ndarray[Any, Any]]) -> str:
    """Return a hash of arrays by name."""
    hasher = hashlib.sha256()
    for name in sorted(columns):
        array = columns[name]
        hasher.update(f"{name} {array.dtype} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def publish(what: str, to: str) -> dict[str, Any]:
    """Publish what lies in the local store."""
    made = pytupli_registry.publish(what, to, private=True)
    return {"commit": made.commit}


def pytupli(arguments: list[str], typed: str = "") -> dict[str, Any]:
    """Run a command line, and return its exit status and what it prints."""
    return printed(lambda: cli.main(arguments, prog_name="pytupli"), typed)


def script(path: str, arguments: list[str]) -> dict[str, Any]:
    """Run a script as the main program, likewise."""
    sys.argv = [path, *arguments]
    return printed(lambda: runpy.run_path(path, run_name="__main__"))


def printed(work: Callable[[], object], typed: str = "") -> dict[str, Any]:
    """Do something, and return what it prints and the status that it ends with."""
    os.chdir(os.environ["HOME"])
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(typed), io.StringIO(), io.StringIO()
    status: object = 0
    try:
        work()
    except SystemExit as end:
        status = end.code or 0
    return {"status": status, "stdout": sys.stdout.getvalue(), "stderr": sys.stderr.getvalue()}


WORK = {"load": load, "publish": publish, "pytupli": pytupli, "script": script}
# Imported here, and not by each client.
PARTS = (
    "api", "publishing.publish", "remote.opening", "hub.identity", "cli.output", "cli.login", "cli.publish", "cli.pull",
    "cli.search", "cli.show", "cli.organization",
)  # fmt: skip


def become(environment: dict[str, str]) -> None:
    """Take on another environment; the stock client has read where its caches lie at its import."""
    os.environ.update(environment)
    constants.HF_HUB_CACHE = str(Path(environment["HF_HOME"], "hub"))
    constants.HF_XET_CACHE = str(Path(environment["HF_HOME"], "xet"))


def start(asked: dict[str, Any]) -> int:
    """Start a client."""
    process = os.fork()
    if process:
        return process
    become(asked["environment"])
    http.READ_TIMEOUT_S = ranges._PATIENCE_S = PATIENCE_S  # type: ignore[misc]  # so that slow lorises take seconds
    if asked.get("largest_file") is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest_file"], resource.RLIM_INFINITY))
    try:
        said = WORK[asked["work"]](**asked["arguments"])
    except (PytupliError, OSError) as error:
        said = {"error": type(error).__name__, "message": str(error)}
    except BaseException:  # noqa: BLE001 - told to the test, which fails
        said = {"crash": traceback.format_exc()}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    Path(asked["answer"]).write_text(json.dumps(said))
    os._exit(0)


def main() -> None:
    """Serve until the end of the input."""
    for name in [*(f"pytupli_registry.{part}" for part in PARTS), *sys.argv[1:]]:
        import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        else:
            print(start(asked), flush=True)


if __name__ == "__main__":
    main()
