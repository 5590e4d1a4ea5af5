"""A process of its own that uploads one file by the stock client and prints the seconds that it took.

What the client is to do with Xet is read from the environment when it is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

MOST_S = 600


def upload(endpoint: str, token: str, repo: str, file: Path, *, home: Path, xet: bool) -> float:
    """Upload ``file`` under its own name and return the seconds of ``upload_file``.

    Args:
        endpoint: the Hub.
        token: may write to it.
        repo: a dataset repository; it is made if it is missing.
        file: what is uploaded.
        home: ``HF_HOME``: where the client remembers which chunks it has sent.
        xet: whether the client may use Xet; else it uses LFS.

    Raises:
        RuntimeError: it failed.
        TimeoutExpired: it does not end.
    """
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "" if xet else "1"}
    command = [sys.executable, __file__, endpoint, token, repo, str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=MOST_S)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return float(done.stdout.split()[-1])


def main() -> None:
    from huggingface_hub import HfApi

    endpoint, token, repo, file = sys.argv[1:]
    api = HfApi(endpoint=endpoint, token=token)
    api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
    start = time.perf_counter()
    api.upload_file(path_or_fileobj=file, path_in_repo=Path(file).name, repo_id=repo, repo_type="dataset")
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
