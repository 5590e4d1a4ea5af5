"""HfFileSystem: the repository as a file system."""

import datetime as dt
import io

import pytest
from hub import ENDPOINT, OWNER, STRANGER, client, new_name
from huggingface_hub import CommitOperationAdd, HfFileSystem
from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError

LARGE = bytes(range(256)) * 4096
CARD = b"---\nlicense: mit\n---\n"


def file_system(token=OWNER.token):
    return HfFileSystem(endpoint=ENDPOINT, token=token, skip_instance_cache=True)


@pytest.fixture
def fs():
    return file_system()


@pytest.fixture(scope="module")
def full(api):
    """The path of a dataset that no case changes, with a pull request."""
    repo = api.create_repo(f"{OWNER.name}/{new_name('full')}", repo_type="dataset").repo_id
    api.delete_file(".gitattributes", repo, repo_type="dataset")
    files = {
        "README.md": CARD,
        "data/a.txt": b"some text",
        "data/b.bin": LARGE,
        "data/deep/c.csv": b"x,y\n1,2\n",
    }
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(repo, operations, commit_message="files", repo_type="dataset")
    operations = [CommitOperationAdd("data/pull.txt", b"from a pull request")]
    api.create_commit(repo, operations, commit_message="pull", repo_type="dataset", create_pr=True)
    return f"datasets/{repo}"


@pytest.fixture
def own(api, make_repo):
    repo = make_repo()
    api.upload_file(
        path_or_fileobj=b"some text", path_in_repo="data/a.txt", repo_id=repo, repo_type="dataset"
    )
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="data/b.bin", repo_id=repo, repo_type="dataset")
    return f"datasets/{repo}"


def test_ls(fs, full):
    assert sorted(fs.ls(full, detail=False)) == [f"{full}/README.md", f"{full}/data"]
    assert sorted(fs.ls(f"{full}/data", detail=False)) == [
        f"{full}/data/{n}" for n in ("a.txt", "b.bin", "deep")
    ]
    found = {entry["name"]: entry for entry in fs.ls(f"{full}/data")}
    assert (found[f"{full}/data/deep"]["type"], found[f"{full}/data/deep"]["size"]) == ("directory", 0)
    assert (found[f"{full}/data/b.bin"]["type"], found[f"{full}/data/b.bin"]["size"]) == ("file", len(LARGE))
    assert fs.ls(f"{full}/data/a.txt", detail=False) == [f"{full}/data/a.txt"]
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{full}/missing")


def test_info(fs, full):
    for path, kind, size in (("", "directory", 0), ("/data", "directory", 0), ("/data/a.txt", "file", 9)):
        found = fs.info(full + path)
        assert (found["name"], found["type"], found["size"]) == (full + path, kind, size)
    found = fs.info(f"{full}/data/b.bin")
    assert found["lfs"]["size"] == len(LARGE)
    assert len(found["blob_id"]) == 40
    assert fs.info(f"{full}/data/a.txt", expand_info=True)["last_commit"].title == "files"
    with pytest.raises(FileNotFoundError):
        fs.info(f"{full}/missing")
    assert isinstance(fs.modified(f"{full}/data/a.txt"), dt.datetime)
    assert fs.size(f"{full}/data/a.txt") == 9


def test_glob_walk_find(fs, full):
    assert sorted(fs.glob(f"{full}/*")) == [f"{full}/README.md", f"{full}/data"]
    assert sorted(fs.glob(f"{full}/**/*.txt")) == [f"{full}/data/a.txt"]
    assert fs.glob(f"{full}/nothing/*") == []
    assert [(path, sorted(folders), sorted(files)) for path, folders, files in fs.walk(full)] == [
        (full, ["data"], ["README.md"]),
        (f"{full}/data", ["deep"], ["a.txt", "b.bin"]),
        (f"{full}/data/deep", [], ["c.csv"]),
    ]
    everything = [f"{full}/{path}" for path in ("README.md", "data/a.txt", "data/b.bin", "data/deep/c.csv")]
    assert fs.find(full) == everything
    assert f"{full}/data/deep" in fs.find(full, withdirs=True)
    assert fs.find(full, maxdepth=1) == everything[:1]
    assert fs.find(full, detail=True)[f"{full}/data/b.bin"]["size"] == len(LARGE)
    assert fs.du(full) == len(CARD) + 9 + len(LARGE) + 8


def test_existence(fs, full):
    assert fs.isdir(full)
    assert fs.isdir(f"{full}/data")
    assert not fs.isdir(f"{full}/data/a.txt")
    assert fs.isfile(f"{full}/data/a.txt")
    assert not fs.exists(f"{full}/missing.txt")
    assert not fs.exists(f"datasets/{OWNER.name}/{new_name()}")
    assert not fs.exists(f"{full}@missing/data/a.txt")


def test_reading(fs, full):
    assert fs.read_text(f"{full}/data/a.txt") == "some text"
    assert fs.read_bytes(f"{full}/data/b.bin") == LARGE
    assert fs.cat(f"{full}/data/a.txt") == b"some text"
    assert fs.cat_file(f"{full}/data/b.bin", start=100, end=200) == LARGE[100:200]
    assert fs.head(f"{full}/data/a.txt", 4) == b"some"
    assert fs.tail(f"{full}/data/a.txt", 4) == b"text"
    with fs.open(f"{full}/data/a.txt", "r") as stream:
        assert isinstance(stream, io.TextIOWrapper)
        assert (stream.read(4), stream.read(), stream.read()) == ("some", " text", "")
    with fs.open(f"{full}/data/deep/c.csv", "rb") as stream:
        assert list(stream) == [b"x,y\n", b"1,2\n"]


def test_seeking(fs, full):
    with fs.open(f"{full}/data/b.bin", "rb", block_size=4096) as stream:
        for position in (0, 300_000, 5, len(LARGE) - 3):
            stream.seek(position)
            assert stream.read(1000) == LARGE[position : position + 1000]
        stream.seek(-10, 2)
        assert stream.read() == LARGE[-10:]
        assert stream.tell() == len(LARGE)


def test_streaming(fs, full):
    with fs.open(f"{full}/data/b.bin", "rb", block_size=0) as stream:
        assert stream.read(100) == LARGE[:100]
        assert stream.read(100) == LARGE[100:200]
        assert stream.read() == LARGE[200:]


def test_missing_files(fs, full):
    for path in (f"{full}/missing.txt", f"datasets/{OWNER.name}/{new_name()}/a.txt"):
        for mode in ("r", "rb"):
            with pytest.raises(FileNotFoundError):
                fs.open(path, mode).read()


def test_to_local_files(fs, full, tmp_path):
    fs.get_file(f"{full}/data/a.txt", str(tmp_path / "a.txt"))
    assert (tmp_path / "a.txt").read_bytes() == b"some text"
    fs.get(f"{full}/data", str(tmp_path / "copy"), recursive=True)
    assert (tmp_path / "copy" / "deep" / "c.csv").exists()


def test_revisions(fs, full):
    pull = f"{full}@refs/pr/1"
    assert fs.read_text(f"{pull}/data/pull.txt") == "from a pull request"
    assert f"{full}@refs%2Fpr%2F1/data/pull.txt" in fs.ls(f"{full}@refs%2Fpr%2F1/data", detail=False)
    with fs.open(f"{full}/data/pull.txt", "rb", revision="refs/pr/1") as stream:
        assert stream.read() == b"from a pull request"
    assert sorted(fs.glob(f"{full}@main/*")) == [f"{full}@main/README.md", f"{full}@main/data"]


def test_url(fs, full):
    assert fs.url(f"{full}/data/a.txt") == f"{ENDPOINT}/{full}/resolve/main/data/a.txt"


def test_writing(fs, own):
    with fs.open(f"{own}/data/new.txt", "w") as stream:
        stream.write("new text")
    assert fs.read_text(f"{own}/data/new.txt") == "new text"
    with fs.open(f"{own}/data/large.bin", "wb") as stream:
        for _ in range(7):
            stream.write(LARGE)
    assert fs.info(f"{own}/data/large.bin")["size"] == 7 * len(LARGE)
    fs.pipe_file(f"{own}/piped.txt", b"piped")
    assert fs.cat(f"{own}/piped.txt") == b"piped"
    with pytest.raises(NotImplementedError):
        fs.open(f"{own}/data/a.txt", "ab")


def test_local_files_to_it(fs, own, tmp_path):
    (tmp_path / "local.txt").write_text("local")
    fs.put_file(str(tmp_path / "local.txt"), f"{own}/put.txt")
    assert fs.read_text(f"{own}/put.txt") == "local"


def test_copying_and_moving(fs, own):
    fs.cp_file(f"{own}/data/a.txt", f"{own}/copies/a.txt")
    fs.cp_file(f"{own}/data/b.bin", f"{own}/copies/b.bin")
    assert fs.read_text(f"{own}/copies/a.txt") == "some text"
    assert fs.read_bytes(f"{own}/copies/b.bin") == LARGE
    fs.mv(f"{own}/copies/a.txt", f"{own}/moved.txt")
    assert fs.read_text(f"{own}/moved.txt") == "some text"
    assert not fs.exists(f"{own}/copies/a.txt")


def test_removing(fs, own):
    fs.rm_file(f"{own}/data/a.txt")
    assert fs.ls(f"{own}/data", detail=False) == [f"{own}/data/b.bin"]
    fs.rm(f"{own}/data", recursive=True)
    assert not fs.exists(f"{own}/data")
    with pytest.raises((FileNotFoundError, EntryNotFoundError)):
        fs.rm(f"{own}/missing")


def test_writing_to_a_branch(fs, own, api):
    api.create_branch(own.split("/", 1)[1], branch="side", repo_type="dataset")
    with fs.open(f"{own}@side/side.txt", "w") as stream:
        stream.write("side")
    assert fs.read_text(f"{own}@side/side.txt") == "side"
    assert not fs.exists(f"{own}/side.txt")


def test_private_repositories(make_repo):
    private = f"datasets/{make_repo(private=True)}"
    assert file_system().exists(f"{private}/.gitattributes")
    for token in (STRANGER.token, False):
        assert not file_system(token).exists(f"{private}/.gitattributes")
        with pytest.raises(FileNotFoundError):
            file_system(token).ls(private)


def test_strangers_cannot_write(full):
    stream = file_system(STRANGER.token).open(f"{full}/x.txt", "w")
    stream.write("x")
    with pytest.raises((OSError, HfHubHTTPError)):
        stream.close()


def test_models(fs, make_repo, commit):
    repo = make_repo("model")
    commit(repo, {"a.txt": b"a"}, kind="model")
    assert fs.read_text(f"{repo}/a.txt") == "a"
    assert f"{repo}/a.txt" in fs.ls(repo, detail=False)


@client(">=2", "pandas and pyarrow are in the project's own environment")
def test_tables(fs, own):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as datasets
    import pyarrow.parquet as parquet

    table = pd.DataFrame({"episode": range(1000), "total_return": [n / 10 for n in range(1000)]})
    options = {"endpoint": ENDPOINT, "token": OWNER.token}
    table.to_parquet(f"hf://{own}/table.parquet", storage_options=options)
    found = pd.read_parquet(f"hf://{own}/table.parquet", columns=["episode"], storage_options=options)
    assert list(found["episode"]) == list(range(1000))
    table.to_csv(f"hf://{own}/table.csv", index=False, storage_options=options)
    assert len(pd.read_csv(f"hf://{own}/table.csv", storage_options=options)) == 1000
    fs.invalidate_cache()
    found = parquet.read_table(f"{own}/table.parquet", filesystem=fs, filters=[("episode", "<", 10)])
    assert found.num_rows == 10
    assert datasets.dataset(f"{own}/table.parquet", filesystem=fs).count_rows() == 1000
    assert isinstance(found, pa.Table)
