"""The agent of a device: it changes to what the alias names once that answers, and answers with the old one else."""

import contextlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

HANGS = "import time\ntime.sleep(1000)\n"
DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
EATS = "data = bytearray(1 << 34)\n"
TALKS = "while True:\n    print('x' * 1000)\n"


def before(file, code):
    """Let a script do something else first."""

    def change(folder):
        text = (folder / file).read_text()
        head, future, rest = text.rpartition("from __future__ import annotations\n")
        (folder / file).write_text(head + future + code + rest)

    return change


def instead(find, replace):
    """Let the program that answers the users answer otherwise."""
    code = f"""
import io, sys
class Changed(io.StringIO):
    def write(self, text):
        return sys.__stdout__.write(text.replace({find!r}, {replace!r}))
    def flush(self):
        sys.__stdout__.flush()
sys.stdout = Changed()
"""
    return before("__main__.py", code)


def of_another_machine(folder):
    """Let the self-test import a module that was built for another processor."""
    source = next(Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("_struct.*.so"))
    data = bytearray(source.read_bytes())
    data[18:20] = (0xF3 if os.uname().machine != "riscv64" else 0xB7).to_bytes(2, "little")
    (folder / "foreign.so").write_bytes(data)
    before("model.py", "import foreign\n")(folder)


def of_another_model(folder):
    about = json.loads((folder / "bundle.json").read_bytes())
    (folder / "bundle.json").write_text(json.dumps({**about, "name": "other"}))


BAD = {
    "does not start": (before("__main__.py", "import nothing_of_that_name\n"), "ended with 1: ModuleNotFoundError"),
    "is of another machine": (of_another_machine, "foreign.so"),
    "hangs": (before("selftest.py", HANGS), "did not answer within 3 seconds"),
    "eats memory": (before("selftest.py", EATS), "MemoryError"),
    "talks without end": (before("selftest.py", TALKS), "File too large"),
    "dies": (before("selftest.py", DIES), "was ended by SIGSEGV"),
    "answers another label": (instead('"below"', '"above"'), "golden rows otherwise here"),
    "answers as another": (instead("sha256:", "sha256:0"), "answers as"),
    "answers no JSON": (instead("{", "["), "malformed"),
    "fails its self-test": (
        before("selftest.py", "print('{\"mismatches\": 1}')\nraise SystemExit(1)\n"),
        "ended with 1",
    ),
    "passes without having asked": (before("selftest.py", "print('{}')\nraise SystemExit(0)\n"), "self-test of"),
    "is another model's": (of_another_model, "names a bundle of 'other'"),
}


# --- what it is for -------------------------------------------------------------------------------------------------


def test_it_changes_to_what_the_alias_names_and_back_without_fetching(site):
    assert site.run()[0] == 0
    assert site.answers() == site.one
    site.move(site.two)
    assert site.run()[0] == 0
    assert site.answers() == site.two
    assert site.kept() == {site.one, site.two}
    site.there(site.one).rename(site.root / "gone")
    site.move(site.one)
    assert site.run()[0] == 0
    assert site.answers() == site.one
    third = site.put(site.built[1], before("model.py", "# the third\n"))
    site.move(third)
    assert site.run()[0] == 0
    assert site.kept() == {site.one, third}
    code, said = site.run("--status")
    assert code == 0
    assert f"runs     {third}, since 20" in said
    assert f"wanted   {third}, record 4" in said
    assert "agent    not running\nfailure  none" in said
    state = site.state()
    assert (state["runs"], state["record"], state["failure"]) == (third, 4, None)
    assert state["self_test"]["rows"] == 8
    assert not [*site.there(third).rglob("*.pyc"), *site.here(third).rglob("*.pyc")]


def test_a_withdrawn_model_answers_no_more(site):
    site.run()
    site.move(None)
    assert site.run()[0] == 0
    assert site.answers() is None
    assert "runs     nothing" in site.run("--status")[1]
    site.move(site.one)
    site.there(site.one).rename(site.root / "gone")
    assert site.run()[0] == 0
    assert site.answers() == site.one


def test_what_the_live_one_holds_is_copied(site):
    site.run()
    same = site.built[0].folder / "_mlopskit_runtime" / "canonical.py"
    (site.there(site.two) / "_mlopskit_runtime" / "canonical.py").unlink()
    site.move(site.two)
    assert site.run()[0] == 0
    assert (site.here(site.two) / "_mlopskit_runtime" / "canonical.py").read_bytes() == same.read_bytes()


# --- bad bundles ----------------------------------------------------------------------------------------------------


def test_a_bad_bundle_is_refused_and_the_old_one_answers(site):
    site.run()
    for what, (change, message) in BAD.items():
        bad = site.put(site.built[1], change)
        site.move(bad)
        code, said = site.run("--once", "--patience", 3)
        assert code != 0, what
        assert message in said, what
        assert site.current.resolve() == site.here(site.one), what
        assert message in site.state()["failure"]["message"], what
        code, said = site.run("--status")
        assert code == 1, what
        assert f"wanted   {bad}" in said, what
    assert site.answers() == site.one
    site.move(site.two)
    assert site.run()[0] == 0
    assert site.answers() == site.two


def test_one_that_fails_only_where_its_users_are_is_taken_back(site):
    site.run()
    through = "import sys\nif sys.argv[0].endswith('current'):\n    sys.exit('not here')\n"
    site.move(site.put(site.built[1], before("__main__.py", through)))
    code, said = site.run()
    assert code != 0
    assert "ended with 1: not here" in said
    assert site.answers() == site.one


def test_the_first_of_all_that_fails_leaves_nothing(site):
    site.move(site.put(site.built[1], BAD["answers another label"][0]))
    assert site.run()[0] != 0
    assert site.answers() is None
    assert "runs     nothing" in site.run("--status")[1]


def test_a_bundle_that_got_damaged_here_is_mended_or_gives_way(site):
    site.run()
    (site.here(site.one) / "package" / "model.json").write_bytes(b"{}")
    assert site.run()[0] == 0
    assert site.answers() == site.one
    site.move(site.two)
    site.run()
    (site.here(site.two) / "__main__.py").write_bytes(b"broken")
    site.place.rename(site.root / "away")
    assert site.run()[0] != 0
    assert site.answers() == site.one
    (site.root / "away").rename(site.place)
    assert site.run()[0] == 0
    assert site.answers() == site.two


def test_a_bundle_that_is_left_alone_is_tried_again_later_and_not_at_each_look(site):
    tried = site.root / "tried"
    site.run()
    site.move(
        site.put(site.built[1], before("selftest.py", f"open({str(tried)!r}, 'a').write('x')\nraise ValueError\n"))
    )
    with running(site, "--every", "0.05") as agent:
        until(lambda: len(tried.read_bytes()) >= 2 if tried.exists() else False)
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate()
    assert said.count("ended with 1") == 1, "what goes on being wrong is said once"
    assert len(tried.read_bytes()) <= 6
    assert site.answers() == site.one


# --- the place ------------------------------------------------------------------------------------------------------


def test_a_place_that_is_away_or_went_back_changes_nothing(site):
    site.run()
    site.move(site.two)
    site.run()
    site.place.rename(site.root / "away")
    code, said = site.run()
    assert code == 3
    assert "has no record" in said or "seen before" in said or "cannot be read" in said
    site.to.rename(site.root / "to-away")
    code, said = site.run()
    assert (code, "cannot be read" in said) == (3, True)
    (site.root / "to-away").rename(site.to)
    (site.root / "away").rename(site.place)
    shutil.rmtree(site.place / "aliases" / "production" / "2")
    code, said = site.run()
    assert code == 3
    assert "Record 2 of the alias" in said
    assert site.answers() == site.two


def test_a_missing_or_changed_file_changes_nothing(site):
    site.run()
    site.move(site.two)
    there = site.there(site.two)
    for path in ("bundle.json", "package/golden.jsonl"):
        data = (there / path).read_bytes()
        for wrong in (data[:-1], bytes([data[0] ^ 1]) + data[1:], None):
            (there / path).unlink()
            if wrong is not None:
                (there / path).write_bytes(wrong)
            assert site.run()[0] == 3
            assert site.kept() == {site.one}
            (there / path).write_bytes(data)
    assert site.answers() == site.one
    assert site.run()[0] == 0


class Cut(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and ends each connection after so many bytes of all."""

    left = 1 << 40
    asked = ()

    def do_GET(self):  # the library's name
        type(self).asked = (*self.asked, self.headers.get("Authorization"), self.path.partition("?")[2])
        super().do_GET()

    def copyfile(self, source, outputfile):
        data = source.read()
        outputfile.write(data[: self.left])
        type(self).left = max(0, self.left - len(data))

    def log_message(self, *_):
        pass


@pytest.fixture
def served(site):
    handler = type("Handler", (Cut,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: handler(*given, directory=str(site.to)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    handler.address = f"http://127.0.0.1:{server.server_address[1]}/{site.place.relative_to(site.to).as_posix()}"
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_cut_at_any_byte_changes_nothing(site, served):
    assert site.run(place=served.address)[0] == 0
    site.move(site.two)
    sizes = [path.stat().st_size for path in site.there(site.two).rglob("*") if path.is_file()]
    changed = 3000 + (site.there(site.two) / "bundle.json").stat().st_size
    for length in (1, 3000, changed, changed + 100):
        served.left = length
        assert site.run(place=served.address)[0] != 0, length
        assert site.current.resolve() == site.here(site.one), length
        assert sum(sizes) > length
    served.left = 1 << 40
    assert site.run(place=served.address)[0] == 0
    assert site.answers() == site.two


def test_what_gives_access_is_sent_and_shown_nowhere(site, served):
    secret = site.root / "access"
    secret.write_text("Authorization: Bearer CANARY-1\n\n?sv=1&sig=CANARY-2\n")
    secret.chmod(0o644)
    code, said = site.run("--once", "--headers", secret, place=served.address)
    assert (code, "chmod 600" in said) == (2, True)
    secret.chmod(0o600)
    code, said = site.run("--once", "--headers", secret, place=served.address)
    assert code == 0
    assert {*served.asked} == {"Bearer CANARY-1", "sv=1&sig=CANARY-2"}
    shutil.rmtree(site.place / "bundles")
    site.move(site.two)
    texts = [said, *site.run("--once", "--headers", secret, place=served.address), site.run("--status")[1]]
    secret.write_text("CANARY-3\n")
    texts += [site.run("--once", "--headers", secret)[1]]
    texts += [path.read_text("latin-1") for path in site.device.rglob("*") if path.is_file()]
    assert "CANARY" not in "".join(map(str, texts))


# --- the device -----------------------------------------------------------------------------------------------------


def test_no_space_changes_nothing_and_is_said(site):
    """On a small file system of its own, in a name space of its own."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        if os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
            pytest.fail("unshare -Urm does not work here")
        pytest.skip("unshare -Urm does not work here: a small file system cannot be made")
    site.move(site.two)
    second = site.place / "aliases" / "production" / "2"
    second.rename(site.root / "second")
    (site.place / "aliases" / "production.json").unlink()
    site.device.mkdir()
    needed = sum(file.stat().st_size for file in site.built[1].folder.rglob("*") if file.is_file())
    # Room for the bytes of a bundle's files, but not for the pages of the disk that they take.
    script = f"""
mount -t tmpfs -o size={3 * needed} none {site.device} && cd /
"$@" --once || exit 9
free=$(($(stat -f -c '%f * %S' {site.device})))
head -c $((free - {needed} - 20000)) /dev/zero > {site.device}/rest
mv {site.root}/second {second}
"$@" --once; echo "code $?"
"$@" --status
head -c 200000 /dev/zero > {site.device}/more
"$@" --once; echo "code $?"
"$@" --status
{sys.executable} {site.current} < {site.root}/request
rm {site.device}/rest {site.device}/more
"$@" --once; echo "code $?"
{sys.executable} {site.current} < {site.root}/request
"""
    (site.root / "request").write_bytes(site.request)
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", *map(str, site.command())]
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert said.count("code 3\n") == 2
    assert "cannot be written: No space left on device" in said
    assert "There is no space for the bundle" in said, said
    assert said.index(site.built[0].said.decode()) < said.index("code 0") < said.index(site.built[1].said.decode())


def test_two_agents_do_not_work_on_one_folder(site):
    with running(site, "--every", "1000") as agent:
        until(lambda: site.current.exists() and site.state()["runs"])
        code, said = site.run()
        assert (code, "Another agent works" in said) == (2, True)
        assert f"agent    process {agent.pid}" in site.run("--status")[1]
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate()
        assert agent.returncode == 0
        assert "Ended." in said
        assert "Traceback" not in said
    assert site.run()[0] == 0


def test_a_bundle_that_a_process_answers_from_is_not_removed(site):
    site.run()
    with (
        subprocess.Popen([sys.executable, site.current], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(user.kill)
        user.stdin.write(site.request)
        user.stdin.flush()
        assert user.stdout.readline() == site.built[0].said
        third = site.put(site.built[1], before("model.py", "# the third\n"))
        for digest in (site.two, third):
            site.move(digest)
            assert site.run()[0] == 0
        assert site.kept() == {site.one, site.two, third}
    site.move(site.two)
    site.run()
    site.move(third)
    site.run()
    assert site.kept() == {site.two, third}


def test_users_get_answers_while_it_changes_to_and_fro(site):
    site.run()
    others = [site.put(site.built[1], before("model.py", f"# {number}\n")) for number in range(2)]
    with running(site, "--every", "0.01"):
        for digest in (site.two, *others, site.one):
            site.move(digest)
            asked = 0
            while not asked or site.state()["runs"] != digest:
                site.answers()
                asked += 1
    assert site.answers() == site.one


def test_a_clock_that_is_wrong_changes_nothing(site):
    site.run()
    for path in (site.current, site.device / "state.json", site.device / "seen.json"):
        os.utime(path, (1, 1), follow_symlinks=False)
    site.move(site.two)
    assert site.run()[0] == 0
    os.utime(site.current, (2**33, 2**33), follow_symlinks=False)
    assert site.run()[0] == 0
    assert "since 2242-" in site.run("--status")[1]
    assert site.answers() == site.two


def test_what_cannot_be_meant_so_is_refused(site, tmp_path):
    for options, message in (
        (["--once", "--alias", "../x"], "The alias"),
        (["--every", "0"], "seconds is not possible"),
        (["--memory", "0"], "are more than nothing"),
        (["--patience", "nan"], "are more than nothing"),
        (["--headers", tmp_path / "absent", "--once"], "cannot be read"),
        (["--status"], "No agent has told its state"),
    ):
        code, said = site.run(*options)
        assert (code, message in said, "Traceback" in said) == (2, True, False), said
    for place in ("az://a/b/device", site.root / "to" / "NAME" / "device", "http://u:p@h/x/device"):
        code, said = site.run("--once", place=place)
        assert (code, "Traceback" in said, "u:p" in said) == (2, False, False), said
    site.run()
    site.current.unlink()
    site.current.mkdir()
    code, said = site.run()
    assert (code, "no link of the agent's" in said) == (2, True)
    inside = subprocess.run(
        [sys.executable, site.here(site.one) / "agent.py", site.place, "--folder", site.device, "--once"],
        capture_output=True,
        check=False,
    )
    assert inside.returncode == 2
    assert b"Copy a bundle elsewhere" in inside.stderr


@contextlib.contextmanager
def running(site, *options):
    with subprocess.Popen(site.command(*options), stderr=subprocess.PIPE, text=True) as agent:
        try:
            yield agent
        finally:
            agent.kill()


def until(condition):
    """Wait for what another process does; pytest's own limit ends it."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.02)
