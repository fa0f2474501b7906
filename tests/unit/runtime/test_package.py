import copy
import hashlib
import itertools
import os
import pickle
import random
import resource
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mlopskit.runtime import UNPINNED, canonical, open_package, package
from mlopskit.runtime.errors import (
    IntegrityError,
    LimitError,
    ManifestError,
    MlopskitError,
    PackageError,
    UnsafeNameError,
    UnsafePathError,
)
from mlopskit.runtime.package import check_listed, check_manifest, read_files, read_listing, walk

NOTHING = "sha256:" + "0" * 64


# --- what opens -------------------------------------------------------------------------------------------------------


def test_a_package_opens_by_its_folders_name_its_digest_or_the_word(write_package, monkeypatch):
    folder, digest = write_package()
    renamed = folder.parent / "renamed"
    assert open_package(folder).digest == digest
    assert open_package(str(folder)).files["model.json"] == b'{"factor":2}'
    shutil.copytree(folder, renamed)
    assert open_package(renamed, digest=digest).manifest["name"] == "sentiment"
    assert open_package(renamed, digest=UNPINNED).digest == digest
    monkeypatch.chdir(folder)
    assert open_package(".").digest == digest


def test_only_the_wanted_bytes_are_kept(write_package):
    folder, _ = write_package()
    opened = open_package(folder, keep=lambda path: path == "README.md")
    assert opened.files.keys() == {"manifest.json", "README.md"}


def test_without_a_digest_a_package_does_not_open(write_package):
    folder, _ = write_package()
    renamed = folder.rename(folder.parent / "latest")
    with pytest.raises(UnsafeNameError, match="is not named by a digest") as caught:
        open_package(renamed)
    assert UNPINNED in caught.value.remedy


def test_another_package_than_the_expected_does_not_open(write_package):
    folder, digest = write_package()
    with pytest.raises(IntegrityError, match=f"has the digest {digest}, expected {NOTHING}"):
        open_package(folder, digest=NOTHING)


def test_an_absent_package_is_an_integrity_error(tmp_path):
    with pytest.raises(IntegrityError, match=r"'manifest\.json' cannot be read: No such file"):
        open_package(tmp_path / ("0" * 64))


# --- every byte counts ------------------------------------------------------------------------------------------------


def flipped(folder, digest):
    """Flip each byte of each file in turn, and yield for each whether the error names the file."""
    for file in [one for one in folder.rglob("*") if one.is_file()]:
        name = file.relative_to(folder).as_posix()
        content = file.read_bytes()
        with file.open("r+b", buffering=0) as opened:
            for position, byte in enumerate(content):
                os.pwrite(opened.fileno(), bytes([byte ^ (1 << position % 8)]), position)
                try:
                    open_package(folder, digest=digest, keep=lambda _: False)
                    yield False
                except IntegrityError as error:
                    yield error.file == name
                os.pwrite(opened.fileno(), content[position : position + 1], position)


def test_every_flipped_byte_is_found(write_package):
    folder, digest = write_package({"model.json": b"{}", "inner/part.bin": random.Random(1).randbytes(5_000)})
    found = list(flipped(folder, digest))
    assert len(found) > 5_000
    assert all(found)
    open_package(folder)  # all was put back


@pytest.mark.slow
def test_every_flipped_byte_of_64_kib_is_found(write_package, record_property):
    chance = random.Random(1)
    files = {f"part{number}.bin": chance.randbytes(12_000) for number in range(5)}
    files |= {"model.json": b"{}"}
    _, digest = write_package(files)
    size = len(canonical.dumps(open_package(write_package(files)[0]).manifest)) + 60_002
    files["rest.bin"] = chance.randbytes(65_536 - size - len(',"rest.bin":{"sha256":"","size":1234}') - 64)
    folder, digest = write_package(files)
    assert sum(file.stat().st_size for file in folder.iterdir()) == 65_536
    found = list(flipped(folder, digest))
    record_property("figure: flipped bytes of a package of 64 KiB", f"{sum(found):,} of {len(found):,} found")
    assert len(found) == 65_536
    assert all(found)
    open_package(folder)  # all was put back


def test_a_manifest_cut_at_any_length_is_refused(write_package):
    folder, digest = write_package()
    data = (folder / "manifest.json").read_bytes()
    for length in range(len(data)):
        (folder / "manifest.json").write_bytes(data[:length])
        with pytest.raises(IntegrityError):
            open_package(folder, digest=digest)
        with pytest.raises(ManifestError, match=r"manifest\.json"):
            open_package(folder, digest=UNPINNED)


# --- the set of files -------------------------------------------------------------------------------------------------


def remove(file):
    file.unlink()


def add_beside(file):
    file.with_name(f"{file.name}.copy").write_bytes(b"")


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def empty(file):
    os.truncate(file, 0)


def make_folder(file):
    file.unlink()
    file.mkdir()


def make_full_folder(file):
    make_folder(file)
    (file / "x").write_bytes(b"")


def make_link(file):
    file.rename(file.parents[2] / "elsewhere")
    file.symlink_to(file.parents[2] / "elsewhere")


def make_dangling_link(file):
    file.unlink()
    file.symlink_to("nowhere")


def make_loop(file):
    file.unlink()
    file.symlink_to(file.name)


def make_pipe(file):
    file.unlink()
    os.mkfifo(file)


def make_socket(file, monkeypatch):
    file.unlink()
    monkeypatch.chdir(file.parent)  # the whole path is too long for a socket
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(file.name)


def make_device(file):
    file.unlink()
    try:
        os.mknod(file, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: an endless file
    except PermissionError:
        pytest.skip("only root makes devices")


FAULTS = [
    remove, add_beside, truncate, empty, make_folder, make_full_folder, make_link, make_dangling_link, make_loop,
    make_pipe, make_socket, make_device,
]  # fmt: skip


@pytest.mark.parametrize("path", ["README.md", "data/sentiment/model.py", "model.json", "manifest.json"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_any_fault_of_any_file_is_found(write_package, monkeypatch, fault, path):
    folder, digest = write_package()
    fault(folder / path, *([monkeypatch] if fault is make_socket else []))
    with pytest.raises((IntegrityError, UnsafePathError)) as caught:
        open_package(folder, digest=digest)
    assert Path(path).name in str(caught.value)


@pytest.mark.parametrize("below", ["", "data/", "data/sentiment/", "new/"])
@pytest.mark.parametrize(
    "name",
    [
        "sitecustomize.py", "usercustomize.py", "x.pth", ".git/config", ".hidden", "model.joblib", "__pycache__/x.pyc",
        "conftest.py", "__init__.py", ".DS_Store", "manifest.json~", "model.pkl", "Thumbs.db", "pyproject.toml",
    ],
)  # fmt: skip
def test_an_extra_file_is_refused_by_name(write_package, below, name):
    folder, digest = write_package()
    extra = folder / below / name
    extra.parent.mkdir(parents=True, exist_ok=True)
    extra.write_bytes(b"")
    with pytest.raises(IntegrityError, match="is not listed") as caught:
        open_package(folder, digest=digest)
    assert caught.value.file == f"{below}{name}"


@pytest.mark.parametrize("path", ["empty", "data/empty", ".git"])
def test_an_empty_folder_is_refused_by_name(write_package, path):
    folder, digest = write_package()
    (folder / path).mkdir()
    with pytest.raises(IntegrityError, match=f"'{path}' in .* is not listed"):
        open_package(folder, digest=digest)


def test_a_folder_that_is_a_link_is_refused(write_package, tmp_path):
    folder, digest = write_package()
    (folder / "data").rename(tmp_path / "data")
    (folder / "data").symlink_to(tmp_path / "data")
    with pytest.raises(UnsafePathError, match=r"'data' in .* is no plain file but a link"):
        open_package(folder, digest=digest)


def test_folders_without_an_end_are_refused(tmp_path):
    folder = tmp_path
    for _ in range(110):
        folder /= "a"
        folder.mkdir()
    with pytest.raises(IntegrityError, match=r"\.\.\. in .* is not listed"):
        [*walk(tmp_path)]


def test_a_file_that_cannot_be_read_is_an_integrity_error(write_package, monkeypatch):
    folder, digest = write_package()

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fail)
        with pytest.raises(IntegrityError, match="cannot be read: Permission denied"):
            open_package(folder, digest=digest)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)
        with pytest.raises(IntegrityError, match=r"'manifest\.json' cannot be read: Permission denied"):
            open_package(folder, digest=digest)


# --- what was checked is what is handed out ---------------------------------------------------------------------------


def test_a_file_that_was_not_kept_is_read_and_checked_again(write_package):
    folder, digest = write_package()
    opened = open_package(folder, digest=digest, keep=lambda _: False)
    assert opened.files["model.json"] == b'{"factor":2}'
    assert opened.files.keys() == {"manifest.json"}  # it is not kept now either
    with pytest.raises(KeyError):
        opened.files["not listed"]
    (folder / "model.json").write_bytes(b'{"factor":3}')
    with pytest.raises(IntegrityError, match=r"'model\.json' was changed"):
        opened.files["model.json"]
    (folder / "model.json").unlink()
    with pytest.raises(IntegrityError, match=r"'model\.json' cannot be read"):
        opened.files["model.json"]


def test_a_hard_link_changed_after_opening_changes_nothing(write_package, tmp_path):
    folder, digest = write_package()
    (tmp_path / "foreign").write_bytes((folder / "model.json").read_bytes())
    (folder / "model.json").unlink()
    (folder / "model.json").hardlink_to(tmp_path / "foreign")
    opened = open_package(folder, digest=digest)
    (tmp_path / "foreign").write_bytes(b'{"factor":3}')
    assert opened.files["model.json"] == b'{"factor":2}'
    with pytest.raises(IntegrityError, match=r"'model\.json' was changed"):
        open_package(folder, digest=digest)


def test_a_file_swapped_right_after_it_was_hashed_is_not_what_is_loaded(write_package, monkeypatch):
    folder, digest = write_package()
    reads = []
    real = hashlib.sha256

    class Swapping:
        """A sha256 that swaps each file behind the reader's back as soon as its bytes were hashed."""

        def __init__(self):
            self.real = real()

        def update(self, data):
            self.real.update(data)
            for file in folder.rglob("*"):
                if file.is_file() and file.read_bytes() == data:
                    reads.append(file.name)
                    file.write_bytes(b"#" * len(data))

        def hexdigest(self):
            return self.real.hexdigest()

    with monkeypatch.context() as patch:
        patch.setattr(package.hashlib, "sha256", lambda *data: real(*data) if data else Swapping())
        opened = open_package(folder, digest=digest)
    assert sorted(reads) == ["README.md", "model.json", "model.py"]
    assert opened.files["model.json"] == b'{"factor":2}'
    assert (folder / "model.json").read_bytes() == b"#" * 12


@pytest.mark.parametrize("make", [make_link, make_pipe, make_dangling_link], ids=lambda make: make.__name__)
def test_a_file_swapped_for_something_else_after_the_walk_is_refused(write_package, monkeypatch, make):
    folder, digest = write_package()
    walked = package.walk

    def swap_after(place, **below):
        yield from walked(place, **below)
        if not below:
            make(folder / "model.json")

    monkeypatch.setattr(package, "walk", swap_after)
    with pytest.raises((IntegrityError, UnsafePathError), match=r"'model\.json'"):
        open_package(folder, digest=digest)


def test_a_pipe_does_not_pass_for_an_empty_file(write_package, monkeypatch):
    folder, digest = write_package({"model.json": b""})
    monkeypatch.setattr(package, "walk", lambda _: iter(["manifest.json", "model.json"]))
    make_pipe(folder / "model.json")
    with pytest.raises(UnsafePathError, match=r"'model\.json' .* is no plain file"):
        open_package(folder, digest=digest)


def test_each_byte_is_read_once(write_package, monkeypatch):
    folder, digest = write_package()
    hashed = []
    real = hashlib.sha256

    class Counting:
        def __init__(self, data=b""):
            self.real = real(data)

        def update(self, data):
            hashed.append(len(data))
            self.real.update(data)

        def hexdigest(self):
            return self.real.hexdigest()

    monkeypatch.setattr(package.hashlib, "sha256", Counting)
    opened = open_package(folder, digest=digest)
    assert sum(hashed) == sum(entry["size"] for entry in opened.manifest["files"].values())


def test_files_of_two_packages_do_not_mix(write_package):
    one, digest = write_package()
    other, _ = write_package(
        {"README.md": b"a card", "data/sentiment/model.py": b"pass", "model.json": b'{"factor":9}'}
    )
    (one / "model.json").write_bytes((other / "model.json").read_bytes())
    with pytest.raises(IntegrityError, match=r"'model\.json' was changed"):
        open_package(one, digest=digest)
    (one / "manifest.json").write_bytes((other / "manifest.json").read_bytes())
    with pytest.raises(IntegrityError, match="has the digest"):
        open_package(one, digest=digest)


# --- limits -----------------------------------------------------------------------------------------------------------


def memory_of(work):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def test_a_manifest_of_a_million_files_is_too_long(manifest, tmp_path):
    entry = ',"f%d":{"sha256":"%s","size":1}'
    with (tmp_path / "manifest.json").open("w") as opened:
        opened.write('{"files":{')
        opened.writelines(entry % (number, "0" * 64) for number in range(1_000_000))
    with pytest.raises(LimitError, match=r"manifest\.json has .* bytes, at most 4,194,304 are read"):
        open_package(tmp_path, digest=UNPINNED)
    manifest["files"] |= {f"f{number}": {"sha256": "0" * 64, "size": 1} for number in range(10_000)}
    with pytest.raises(LimitError, match="are 10,003, at most 10,000 are read"):
        check_manifest(manifest)


def test_a_folder_of_too_many_files_is_refused_early(tmp_path, monkeypatch):
    class Endless:
        """A folder that never ends; each entry is a file."""

        name = "x"

        def __enter__(self):
            return itertools.repeat(self)

        def __exit__(self, *_):
            return None

        def is_dir(self, **_):
            return False

        def is_file(self, **_):
            return True

    monkeypatch.setattr(os, "scandir", lambda _: Endless())
    with pytest.raises(LimitError, match="more than 10,000 entries"):
        [*walk(tmp_path)]


def test_a_file_larger_than_listed_is_not_read(write_package):
    folder, digest = write_package()
    os.truncate(folder / "model.json", 8 << 30)  # sparse: it takes no space

    def refused():
        with pytest.raises(IntegrityError, match="has 8,589,934,592 bytes, 12 are listed"):
            open_package(folder, digest=digest)

    assert memory_of(refused) < 8 << 20


def test_a_file_that_grows_without_end_is_read_to_its_listed_size_and_no_further(write_package, monkeypatch):
    folder, digest = write_package()
    os.truncate(folder / "model.json", 8 << 30)
    sizes = {12: 12, 8 << 30: 12}  # the size is asked before the file has grown
    monkeypatch.setattr(package, "_check_size", lambda _, found, listed: sizes.get(found, listed))
    with pytest.raises(IntegrityError, match=r"'model\.json' was changed"):
        open_package(folder, digest=digest)


def test_an_endless_manifest_is_refused(tmp_path, monkeypatch):
    (tmp_path / "manifest.json").touch()
    os.truncate(tmp_path / "manifest.json", 8 << 30)
    with pytest.raises(LimitError, match="8,589,934,592 bytes"):
        open_package(tmp_path, digest=UNPINNED)
    monkeypatch.setattr(package, "_check_size", lambda *_: None)
    assert len(read_listing(tmp_path, "manifest.json", digest=None)) == (4 << 20) + 1


def test_a_large_file_is_checked_in_flat_memory(tmp_path):
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 64 << 20)
    (tmp_path / "manifest.json").touch()
    listed = {"big": {"sha256": hashlib.sha256(bytes(64 << 20)).hexdigest(), "size": 64 << 20}}
    script = (
        "import resource, sys; from pathlib import Path; from mlopskit.runtime.package import read_files; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        f"read_files(Path(sys.argv[1]), {listed!r}, listing='manifest.json', keep=lambda _: False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 << 10


# --- the manifest -----------------------------------------------------------------------------------------------------


def put(manifest, path, value):
    *parents, last = path
    for one in parents:
        manifest = manifest[one]
    if value is remove:
        del manifest[last]
    else:
        manifest[last] = value


GOLDEN = {"file": "README.md", "from": "test", "rows": 1, "scale": 1.0, "tolerance": 1e-6}
ENTRY = {"sha256": "0" * 64, "size": 1}
MODEL = {"files": [], "format": "skops", "frame": "arrays", "preprocess": [], "requires": []}
MUTATIONS = [
    (("files",), remove, "files"),
    (("task",), remove, "task"),
    (("extra",), 1, "extra"),
    (("name",), 1, "name"),
    (("name",), "../x", "name"),
    (("name",), "Sentiment", "name"),
    (("format_version",), 2, "format_version"),
    (("format_version",), True, "format_version"),
    (("format_version",), 1.0, "format_version"),
    (("format_version",), "1", "format_version"),
    (("environment",), [], "environment"),
    (("provenance",), None, "provenance"),
    (("task",), None, "task"),
    (("files",), [], "files"),
    (("files", "README.md", "size"), -1, "size"),
    (("files", "README.md", "size"), 1.0, "size"),
    (("files", "README.md", "size"), "6", "size"),
    (("files", "README.md", "size"), True, "size"),
    (("files", "README.md", "size"), 2**63, "sizes"),
    (("files", "README.md", "size"), remove, "size"),
    (("files", "README.md", "sha256"), "0" * 63, "sha256"),
    (("files", "README.md", "sha256"), "A" * 64, "sha256"),
    (("files", "README.md", "sha256"), "sha256:" + "0" * 57, "sha256"),
    (("files", "README.md", "sha256"), "../" * 21 + "x", "sha256"),
    (("files", "README.md", "sha256"), None, "sha256"),
    (("files", "README.md", "mode"), 7, "mode"),
    (("files", "README.md"), None, "README.md"),
    (("files", "readme.md"), ENTRY, "readme.md"),
    (("files", "manifest.json"), ENTRY, "manifest.json"),
    (("files", "Manifest.json"), ENTRY, "Manifest.json"),
    (("files", "data"), ENTRY, "data"),
    (("files", "../x"), ENTRY, "../x"),
    (("files", "/etc/passwd"), ENTRY, "/etc/passwd"),
    (("files", "C:\\x"), ENTRY, "C:"),
    (("files", "con"), ENTRY, "con"),
    (("files", ".git/config"), ENTRY, ".git/config"),
    (("models",), {}, "models"),
    (("models", 0), None, "models[0]"),
    (("models", 0, "format"), "..", "models[0].format"),
    (("models", 0, "format"), remove, "format"),
    (("models", 0, "files"), ["absent"], "models[0].files"),
    (("models", 0, "files"), [["README.md"]], "models[0].files"),
    (("models", 0, "files"), "model.json", "files"),
    (("models", 0, "requires"), ["x; touch y"], "models[0].requires"),
    (("models", 0, "requires"), ["x>=1"], "models[0].requires"),
    (("models", 0, "requires"), [1], "models[0].requires"),
    (("models", 0, "preprocess"), [None], "models[0].preprocess"),
    (("models", 0, "loader"), "evil", "loader"),
    (("models",), [MODEL, MODEL], "models[1].format"),
    (("evaluation",), "absent.json", "evaluation"),
    (("evaluation",), {}, "evaluation"),
    (("golden",), "README.md", "golden"),
    (("golden",), {}, "golden"),
    (("golden",), GOLDEN | {"file": "absent"}, "golden.file"),
    (("golden",), GOLDEN | {"rows": -1}, "golden.rows"),
    (("golden",), GOLDEN | {"tolerance": -1e-6}, "golden.tolerance"),
    (("golden",), GOLDEN | {"scale": True}, "scale"),
    (("golden",), GOLDEN | {"scale": {"prediction.p": True}}, "golden.scale.prediction.p"),
    (("golden",), GOLDEN | {"scale": {"prediction.p": "1"}}, "golden.scale.prediction.p"),
    (("golden",), GOLDEN | {"scale": {"prediction.p": -1.0}}, "golden.scale.prediction.p"),
    (("golden",), GOLDEN | {"scale": {"prediction.p": {}}}, "golden.scale.prediction.p"),
    (("schema", "inputs"), remove, "inputs"),
    (("schema", "outputs"), None, "outputs"),
    (("schema", "more"), {}, "more"),
    (("schema", "inputs", "required"), [], "schema.inputs"),
    (("schema", "inputs", "properties", "x", "type"), "date", "schema.inputs in manifest.json, column 'x'"),
]


@pytest.mark.parametrize(
    ("path", "value", "named"), MUTATIONS, ids=lambda value: getattr(value, "__name__", str(value)[:30])
)
def test_a_mutated_manifest_is_refused_with_the_fields_name(manifest, path, value, named):
    check_manifest(copy.deepcopy(manifest))
    put(manifest, path, value)
    with pytest.raises((ManifestError, UnsafePathError, LimitError)) as caught:
        check_manifest(manifest)
    assert named in caught.value.message


@pytest.mark.parametrize("value", [[], "x", 1, None, [["a"]]])
def test_a_manifest_that_is_no_table_is_refused(value):
    with pytest.raises(ManifestError, match=r"manifest\.json is a"):
        check_manifest(value)


def test_a_later_format_says_what_reads_it(manifest):
    with pytest.raises(ManifestError, match="Use the release of mlopskit that wrote it"):
        check_manifest({**manifest, "format_version": 2, "signature": "x"})


def test_golden_rows_and_an_evaluation_are_taken(write_package):
    folder, _ = write_package(golden=GOLDEN, evaluation="README.md")
    assert open_package(folder).manifest["golden"] == GOLDEN


def test_the_scale_may_be_of_each_output(write_package):
    golden = GOLDEN | {"scale": {"prediction.p": 0.5, "prediction.q": 100}}
    folder, _ = write_package(golden=golden, evaluation="README.md")
    assert open_package(folder).manifest["golden"] == golden


def test_an_untidy_manifest_is_refused_even_unpinned(write_package):
    folder, _ = write_package()
    data = (folder / "manifest.json").read_bytes()
    for other in (data + b"\n", b"\xef\xbb\xbf" + data, data[:-1] + b',"task":"x"}', data.replace(b":", b": ", 1)):
        (folder / "manifest.json").write_bytes(other)
        with pytest.raises(ManifestError, match=r"manifest\.json is malformed"):
            open_package(folder, digest=UNPINNED)


def test_a_listing_of_another_name_is_read_the_same_way(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "bundle.json").write_bytes(b"{}")
    listed = {"a": {"sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}}
    assert read_files(tmp_path, listed, listing="bundle.json", keep=lambda _: True) == {"a": b"x"}


@pytest.mark.parametrize("files", [None, [], "x"])
def test_a_listing_that_is_no_table_is_refused(files):
    with pytest.raises(ManifestError, match=r"'files' of bundle\.json has the type"):
        check_listed(files, what="bundle.json")


def test_an_error_leaves_a_process_whole():
    error = pickle.loads(pickle.dumps(IntegrityError("What happened.", remedy="Do this.", file="a")))
    assert type(error) is IntegrityError
    assert (str(error), error.remedy, error.file) == ("What happened. Do this.", "Do this.", "a")


def test_every_error_is_one_of_the_tree():
    assert issubclass(IntegrityError, PackageError)
    assert issubclass(PackageError, MlopskitError)
