"""The archive: the same bytes for the same files, its size and secrets named before it is sent, and nothing written outside."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from hydra_sagemaker.code import bundle
from hydra_sagemaker.code.bundle import content_hash, extract, pack, size_problem
from hydra_sagemaker.code.bundled_files import list_files
from hydra_sagemaker.errors import LauncherError

EXTRA = {".launcher/entry.py": b"print('entry')\n"}


def tree(root: Path) -> Path:
    (root / "src").mkdir(parents=True)
    (root / "src" / "train.py").write_text("print('train')\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o750)
    (root / "häßlich.txt").write_bytes(bytes(range(256)) * 10)
    (root / ("long" * 60)).write_text("")
    (root / "link.py").symlink_to("src/train.py")
    return root


def packed(root: Path, target: Path) -> bytes:
    pack(root, list_files(root), target, extra=EXTRA)
    return target.read_bytes()


def paths(*names: str) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in names]


def test_same_files_same_bytes(tmp_path: Path) -> None:
    root = tree(tmp_path / "one")
    first, name = packed(root, tmp_path / "1.tar.gz"), content_hash(root, list_files(root), EXTRA)
    elsewhere = tmp_path / "another" / "checkout"
    shutil.copytree(root, elsewhere, symlinks=True)
    for file in (*elsewhere.rglob("*"), *root.rglob("*")):
        os.utime(file, (1, 1), follow_symlinks=False)
    (elsewhere / "src" / "train.py").chmod(0o600)
    assert packed(root, tmp_path / "2.tar.gz") == first
    assert packed(elsewhere, tmp_path / "3.tar.gz") == first
    assert content_hash(elsewhere, list_files(elsewhere)[::-1], EXTRA) == name
    assert first[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])  # no time, no file name, no operating system


def test_what_the_archive_holds(tmp_path: Path) -> None:
    root = tree(tmp_path / "code")
    packed(root, tmp_path / "code.tar.gz")
    with tarfile.open(tmp_path / "code.tar.gz") as archive:
        members = archive.getmembers()
        link = archive.extractfile("link.py")
        assert link and link.read() == b"print('train')\n"
    assert [member.name for member in members] == sorted([str(path) for path in list_files(root)] + list(EXTRA))
    assert {member.name: member.mode for member in members if member.mode != 0o644} == {"run.sh": 0o755}
    owners = {(member.mtime, member.uid, member.gid, member.uname, member.gname, member.isreg()) for member in members}
    assert owners == {(0, 0, 0, "", "", True)}
    written = extract(tmp_path / "code.tar.gz", tmp_path / "back")
    assert written == [tmp_path / "back" / member.name for member in members]
    assert (tmp_path / "back" / "häßlich.txt").read_bytes() == bytes(range(256)) * 10
    assert os.access(tmp_path / "back" / "run.sh", os.X_OK)
    assert [path.name for path in tmp_path.glob("*.part")] == []


CHANGES: list[Callable[[Path], object]] = [
    lambda root: (root / "src" / "train.py").write_text("print('trail')\n"),
    lambda root: (root / "src" / "train.py").chmod(0o755),
    lambda root: (root / "src" / "train.py").rename(root / "src" / "train2.py"),
    lambda root: (root / "new.py").write_text(""),
    lambda root: (root / "run.sh").unlink(),
]


@pytest.mark.parametrize("change", CHANGES, ids=["content", "executable", "name", "more", "fewer"])
def test_hash_tells_changes(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root = tree(tmp_path)
    before = content_hash(root, list_files(root))
    change(root)
    assert content_hash(root, list_files(root)) != before


def test_hash_knows_where_one_file_ends(tmp_path: Path) -> None:
    """The same letters in the same order, divided otherwise."""
    hashes = set()
    within = (1).to_bytes(8).decode() + "b\0"  # as a second file, empty and named b, would be written
    divisions = [{"a": "bc", "d": "e"}, {"a": "bcd", "e": ""}, {"ab": "c", "d": "e"}, {"a": "", "b": ""}, {"a": within}]
    for index, contents in enumerate(divisions):
        root = tmp_path / str(index)
        root.mkdir()
        for name, text in contents.items():
            (root / name).write_text(text)
        hashes.add(content_hash(root, list_files(root)))
    assert len(hashes) == len(divisions)


def test_extra_files_count_and_may_not_hide_the_users(tmp_path: Path) -> None:
    root = tree(tmp_path)
    files = list_files(root)
    assert len({content_hash(root, files), content_hash(root, files, EXTRA), content_hash(root, files, {"x": b"y"})}) == 3
    assert len(content_hash(root, files)) == 64
    with pytest.raises(LauncherError, match=r"the launcher adds a file named run\.sh, and .* has one of its own: rename it"):
        content_hash(root, files, {"run.sh": b""})


def test_files_that_cannot_be_packed(tmp_path: Path) -> None:
    root = tree(tmp_path / "code")
    with pytest.raises(LauncherError, match=r"gone\.py cannot be read \(No such file or directory\): leave it out by .*ignore"):
        pack(root, paths("gone.py"), tmp_path / "code.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


@pytest.mark.parametrize("size", [5, 50_000_000])
def test_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    (tmp_path / "log.txt").write_bytes(b"0123456789")
    real = os.fstat

    def stale(descriptor: int) -> os.stat_result:
        values = list(real(descriptor))
        values[6] = size
        return os.stat_result(values)

    monkeypatch.setattr(bundle.os, "fstat", stale)
    with pytest.raises(LauncherError, match=r"log\.txt changed while it was read: run the same command again"):
        content_hash(tmp_path, paths("log.txt"))
    with pytest.raises(
        LauncherError, match=r"log\.txt (changed while it was read|cannot be packed .*): run the same command again"
    ):
        pack(tmp_path, paths("log.txt"), tmp_path / "code.tar.gz")
    assert not (tmp_path / "code.tar.gz").exists()


def test_size_problem_names_the_largest(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"data{number:02}.bin").write_bytes(b"0" * (number + 1) * 10_000)
    files = list_files(tmp_path)
    assert size_problem(tmp_path, files, max_mb=0.78) is None
    problem = size_problem(tmp_path, files, max_mb=0.77)
    assert problem is not None
    first, *largest, last = problem.splitlines()
    assert first == "the code is 0.78 MB in 12 files, more than hydra.launcher.code.max_mb=0.77. Largest:"
    assert [line.split() for line in largest] == [
        [f"{(number + 1) / 100:.2f}", "MB", f"data{number:02}.bin"] for number in range(11, 1, -1)
    ]
    assert ".sagemakerignore (gitignore syntax" in last and last.endswith("or raise max_mb")


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 3) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size if kind == tarfile.REGTYPE else 0
    return info


def archive_of(file: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return file


HOSTILE = {
    "../escape": [member("../escape")],
    "/absolute": [member("/absolute")],
    "a/../../escape": [member("a/../../escape")],
    "symlink": [member("symlink", tarfile.SYMTYPE, "../outside")],
    "rooted": [member("rooted", tarfile.SYMTYPE, "/etc")],
    "hardlink": [member("hardlink", tarfile.LNKTYPE, "../outside/victim")],
    "device": [member("device", tarfile.CHRTYPE)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
    "link/through": [member("link", tarfile.SYMTYPE, "good"), member("./link/through")],
    "a/../link/up": [member("link", tarfile.SYMTYPE, "good"), member("a/../link/up")],
    "early/through": [member("early/through"), member("early", tarfile.SYMTYPE, "good")],
    "twice": [member("twice", tarfile.SYMTYPE, "good.txt"), member("twice")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_members_write_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_text("as it was")
    archive = archive_of(tmp_path / "bad.tar.gz", member("good.txt"), *HOSTILE[name])
    with pytest.raises(LauncherError, match=f"bad.tar.gz is not extracted: .*{name}"):
        extract(archive, tmp_path / "target")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "bad.tar.gz",
        "outside",
        "outside/victim",
    ]
    assert (tmp_path / "outside" / "victim").read_text() == "as it was"


def test_links_out_and_special_files_can_be_skipped(tmp_path: Path) -> None:
    kept = [member("good.txt"), member("dangling", tarfile.SYMTYPE, "nowhere")]
    odd = [HOSTILE[name][0] for name in ("symlink", "rooted", "hardlink", "device", "pipe")]
    archive = archive_of(tmp_path / "output.tar.gz", *odd, *kept, member("same", tarfile.LNKTYPE, "pipe"))
    skipped: list[str] = []
    written = extract(archive, tmp_path / "target", skipped=skipped)
    assert [path.name for path in written] == ["good.txt", "dangling"]
    assert skipped == ["symlink", "rooted", "hardlink", "device", "pipe", "same"]
    for name in ("../escape", "/absolute", "link/through", "twice"):
        with pytest.raises(LauncherError, match=f"bad.tar.gz is not extracted: .*{name}"):
            extract(archive_of(tmp_path / "bad.tar.gz", *HOSTILE[name]), tmp_path / "not", skipped=[])


def test_nothing_is_written_through_a_link_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "target" / "logs").symlink_to(tmp_path / "outside")
    with pytest.raises(LauncherError, match=r"is not extracted: .*logs/x"):
        extract(archive_of(tmp_path / "logs.tar.gz", member("logs/x")), tmp_path / "target")
    assert list((tmp_path / "outside").iterdir()) == []


def test_links_within_are_extracted(tmp_path: Path) -> None:
    members = (
        member("last.ckpt", tarfile.SYMTYPE, "runs/3.ckpt"), member("runs", tarfile.DIRTYPE), member("runs/3.ckpt"),
        member("same.ckpt", tarfile.LNKTYPE, "runs/3.ckpt"),
    )  # fmt: skip
    written = extract(archive_of(tmp_path / "output.tar.gz", *members), tmp_path / "target")
    assert [path.name for path in written] == ["last.ckpt", "3.ckpt", "same.ckpt"]
    assert [path.read_bytes() for path in written] == [b"xxx"] * 3


def test_too_many_bytes(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "output.tar.gz", member("a", size=600), member("b", size=500))
    with pytest.raises(LauncherError, match=r"output\.tar\.gz is not extracted: more than 1,000 bytes, reached at b"):
        extract(archive, tmp_path / "target", max_bytes=1000)
    assert not (tmp_path / "target").exists()
    assert len(extract(archive, tmp_path / "target", max_bytes=1100)) == 2


@pytest.mark.parametrize(
    "broken", [b"", b"no archive", gzip.compress(b"no tar"), "half"], ids=["empty", "text", "gzip", "half"]
)
def test_broken_archives(tmp_path: Path, broken: bytes | str) -> None:
    file = archive_of(tmp_path / "output.tar.gz", member("a", size=100_000), member("b", size=100_000))
    file.write_bytes(file.read_bytes()[:-60] if isinstance(broken, str) else broken)
    with pytest.raises(LauncherError, match=r"output\.tar\.gz is no whole tar\.gz .*: fetch it again"):
        extract(file, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"gone\.tar\.gz cannot be extracted to .*No such file"):
        extract(tmp_path / "gone.tar.gz", tmp_path / "target")
