"""Files are complete or absent."""

import errno
import json

import pytest

from tsgen.complete_files import complete_file, complete_folder, sha256_of, write_json, write_text
from tsgen.errors import StorageError


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(StorageError, match="No space left on device"), complete_file(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_folder_and_no_trace(tmp_path):
    folder = tmp_path / "run"
    with complete_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), complete_folder(folder) as temporary:
        (temporary / "a").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_new_folder_replaces_the_old_one_as_a_whole(tmp_path):
    folder = tmp_path / "run"
    for name in ("first", "second"):
        with complete_folder(folder) as temporary:
            (temporary / name).write_text(name)
    assert [p.name for p in folder.iterdir()] == ["second"]


def test_a_folder_never_replaces_a_file(tmp_path):
    (tmp_path / "f").write_text("mine")
    with pytest.raises(StorageError, match="is a file"), complete_folder(tmp_path / "f"):
        pass
    assert (tmp_path / "f").read_text() == "mine"


def test_a_failed_swap_restores_the_old_folder(tmp_path, monkeypatch):
    from pathlib import Path

    folder = tmp_path / "run"
    with complete_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    genuine = Path.rename

    def failing(self, target):
        if ".incomplete-" in self.name:
            raise OSError(errno.EIO, "Input/output error")
        return genuine(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StorageError, match="Input/output error"), complete_folder(folder) as temporary:
        (temporary / "a").write_text("new")
    assert (folder / "a").read_text() == "old"


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json(tmp_path / "m.json", {"b": 1, "a": [1.5]})
    assert list(json.loads((tmp_path / "m.json").read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "m.json", {"a": float("nan")})
    # known digest of the three bytes "abc" (FIPS 180-2)
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_place_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "f").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="could not write"):
        write_text(tmp_path / "f" / "x.txt", "text")
