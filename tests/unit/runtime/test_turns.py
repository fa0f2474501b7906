import gc
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mlopskit.runtime import functions, turns
from mlopskit.runtime.errors import AliasError, UsageError
from mlopskit.runtime.functions import Function

JSON = {"content-type": "application/json"}
ROW = b'{"row":{"x":1}}'
SELDOM = 3600
HINT = "/sentiment/aliases/production.json"


class Scorer:
    def __init__(self, factor):
        self.factor = factor

    def score(self, rows):
        return {"prediction": [self.factor * x for x in rows["x"]]}


class Times:
    """A loader of packages that multiply by a number."""

    made: ClassVar[list] = []

    def load(self, files, spec):
        scorer = Scorer(json.loads(files["model.json"])["factor"])
        self.made.append(weakref.ref(scorer))
        return scorer


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def start(published, shop, tmp_path):
    """Return what starts a function that holds the first package and follows the alias of the shop."""
    begun = []

    def begin(uri=f"{shop.address}/sentiment@production", loaders={"portable": Times}, **options):  # noqa: B006  # is not changed
        zipped = tmp_path / "zip" / "package"
        if not zipped.exists():
            shutil.copytree(published.file(published.one, ""), zipped)
        given = {"every": SELDOM, "trial": 0, **options}
        begun.append(Function(zipped, digest=published.one, format="portable", uri=uri, loaders=loaders, **given))
        return begun[-1]

    yield begin
    for function in begun:
        function.close()


def ask(function):
    said = json.loads(function.respond("POST", "/predict", JSON, ROW).body)
    return said["row"]["prediction"] if "row" in said else said["detail"]


def metadata(function):
    return json.loads(function.respond("GET", "/metadata", {}, b"").body)


def due(function):
    """Let the pause be over."""
    function._turns._looked = None


# --- when it looks ---------------------------------------------------------------------------------------------------


def test_the_first_request_is_answered_by_what_the_alias_names_and_the_start_asks_nothing(start, published, shop):
    published.move(published.two)
    function = start()
    assert json.loads(function.respond("GET", "/health/live", {}, b"").body) == {"status": "live"}
    assert not shop.asked
    assert ask(function) == 2
    asked = len(shop.asked)
    assert (ask(function), function.direct({"row": {"x": 3}})["row"]["prediction"]) == (2, 6)
    assert len(shop.asked) == asked  # it is not time yet


def test_an_alias_that_names_the_functions_own_package_downloads_nothing(start, published, shop):
    function = start()
    assert ask(function) == 1
    assert not [path for path, _ in shop.asked if "/packages/" in path]
    assert metadata(function)["record"] == 1


def test_a_promotion_and_a_rollback_are_followed_between_invocations(start, published, shop):
    function = start(every=1e-9)
    assert ask(function) == 1
    published.move(published.two)
    assert ask(function) == 2
    shop.asked.clear()
    published.move(published.one)
    assert ask(function) == 1
    assert not [path for path, _ in shop.asked if "/packages/" in path]  # what it was built with is at hand


def test_a_process_that_stood_still_looks_when_it_goes_on(start, published, monkeypatch):
    function = start()
    assert ask(function) == 1
    published.move(published.two)
    assert ask(function) == 1
    still, wall = function._turns._looked
    function._turns._looked = (still, wall - 2 * SELDOM)  # the one clock stood still with it, the other did not
    assert ask(function) == 2
    published.move(published.one)
    still, wall = function._turns._looked
    function._turns._looked = (still, wall + SELDOM)  # somebody set it back
    assert ask(function) == 1


def test_many_requests_at_once_look_once(start, published, shop):
    published.move(published.two)
    function = start()
    together = threading.Barrier(8)

    def request(_):
        together.wait()
        return ask(function)

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(request, range(8))] == [2] * 8
    assert [path for path, _ in shop.asked].count(HINT) == 1


def test_where_no_thread_can_be_started_a_later_call_looks(start, published, monkeypatch):
    published.move(published.two)
    function = start()

    def fails(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", fails)
        assert ask(function) == 1
    assert ask(function) == 2


# --- what it does not take -------------------------------------------------------------------------------------------


def test_a_place_that_is_away_leaves_the_old_model_and_metadata_says_why(start, published, shop):
    away = threading.Event()
    shop.instead = lambda request: away.is_set() and request.send_error(503) is None
    away.set()
    function = start(every=30)
    assert ask(function) == 1
    said = metadata(function)
    assert "cannot be read: the status is 503" in said["fault"]
    assert said["digest"] == published.one
    assert json.loads(function.respond("GET", "/health/ready", {}, b"").body)["status"] == "degraded"
    assert function._turns.pause > 30  # it is asked less and less often
    away.clear()
    published.move(published.two)
    due(function)
    assert ask(function) == 2
    assert metadata(function)["fault"] is None


def test_a_place_that_is_slow_is_waited_for_a_little_and_followed_beside_the_calls(start, published, shop):
    published.move(published.two)
    go_on, asked = threading.Event(), []
    shop.instead = lambda request: asked.append(request.path) or (go_on.wait(), False)[1]
    function = start()
    function._turns.wait, function._turns.waits = 0.05, 0.08
    assert ask(function) == 1
    assert function.direct({"row": {"x": 1}})["row"]["prediction"] == 1  # the next call waits, too
    assert function._turns._left <= 0
    function._turns.wait = 3600
    assert ask(function) == 1  # and then nobody
    assert len(asked) == 1
    looking = function._turns._looking
    go_on.set()
    looking.join()
    assert ask(function) == 2


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda one, digest: one.file(digest, "model.json").write_bytes(b'{"factor":9}'), "is not the one"),
        (lambda one, digest: one.file(digest, "model.json").write_bytes(b'{"fac'), "is not the one"),
        (lambda one, digest: one.file(digest, "model.json").unlink(), "is missing"),
        (lambda one, digest: one.file(digest, "manifest.json").write_bytes(b"<html>"), "has the digest"),
        (lambda one, digest: one.file(digest, "manifest.json").unlink(), "is not there"),
    ],
)
def test_a_package_with_other_bytes_is_not_taken(spoil, why, start, published):
    function = start(every=1e-9)
    spoil(published, published.two)
    published.move(published.two)
    assert ask(function) == 1
    assert why in metadata(function)["fault"]
    assert metadata(function)["newest"] == published.two


def test_a_package_that_answers_otherwise_here_is_not_taken(start, published):
    function = start(every=1e-9)
    published.move(published.package(3, expected=4))
    assert ask(function) == 1
    assert "golden rows otherwise here" in metadata(function)["fault"]
    assert metadata(function)["tries"] >= 1


def test_a_package_of_other_columns_is_not_taken(start, published, columns_schema):
    function = start(every=1e-9)
    schema = {"inputs": columns_schema(x={"type": "integer"}), "outputs": columns_schema(prediction={"type": "number"})}
    published.move(published.package(3, schema=schema))
    assert ask(function) == 1
    assert "has other inputs than the model that answers" in metadata(function)["fault"]


def test_a_package_without_the_functions_form_is_not_even_downloaded(start, published, shop):
    function = start(every=1e-9)
    model = {"files": ["model.json"], "format": "onnx", "frame": "arrays", "preprocess": [], "requires": ["a==1"]}
    digest = published.package(3, models=[model])
    published.move(digest)
    assert ask(function) == 1
    assert "holds its model as onnx; here only 'portable' has a loader" in metadata(function)["fault"]
    assert not [path for path, _ in shop.asked if path.endswith("model.json")]


def test_what_other_forms_use_alone_is_not_downloaded(start, published, shop, write_package):
    forms = {"portable": "model.json", "onnx": "model.onnx"}
    plain = {"frame": "arrays", "preprocess": [], "requires": ["a==1"]}
    models = [{"files": [file], "format": form, **plain} for form, file in forms.items()]
    files = {"model.json": b'{"factor":5}', "model.onnx": b"large"}
    published.move(write_package(files, root=published.folder / "packages", models=models)[1])
    assert ask(start()) == 5
    assert not [path for path, _ in shop.asked if path.endswith("model.onnx")]


def test_code_of_another_package_is_not_run(start, published, write_package):
    model = {"files": ["model.json", "code/own.py"], "format": "portable", "frame": "arrays"}
    models = [{**model, "preprocess": [], "requires": ["a==1"]}]
    files = {"model.json": b'{"factor":5}', "code/own.py": b"raise SystemExit"}
    published.move(write_package(files, root=published.folder / "packages", models=models)[1])
    function = start()
    assert ask(function) == 1
    assert "holds code of its own" in metadata(function)["fault"]


def test_an_alias_that_went_back_leaves_the_model(start, published):
    function = start(every=1e-9)
    published.move(published.two)
    assert ask(function) == 2
    shutil.rmtree(published.folder / "aliases" / "production" / "2")
    (published.folder / "aliases" / "production.json").write_bytes(published.records[0].data())
    assert ask(function) == 2
    assert "Record 2 of the alias 'production'" in metadata(function)["fault"]


def test_a_withdrawn_model_answers_no_more_until_there_is_another(start, published):
    function = start(every=1e-9)
    published.move(None)
    assert function.respond("POST", "/predict", JSON, ROW).status == 503
    with pytest.raises(AliasError):
        function.direct({"row": {"x": 1}})
    published.move(published.two)
    assert ask(function) == 2


def test_a_call_that_another_one_overtakes_leaves_the_newer_model(start, published, monkeypatch):
    """The older call has seen the state of before, and goes on while the newer one is about to note what it saw."""
    noting, noted = threading.Event(), threading.Event()
    begun, plain = threading.Event(), Function._followed

    def followed(function, turns, state):
        served = plain(function, turns, state)
        if threading.current_thread().name == "older":
            begun.set()
            noting.wait(10)
        return served

    def note(function, name, value):
        if name == "_seen" and threading.current_thread().name == "newer":
            noting.set()
            noted.wait(10)
        object.__setattr__(function, name, value)

    function = start()
    assert ask(function) == 1
    function._turns.look()
    monkeypatch.setattr(Function, "_followed", followed)
    monkeypatch.setattr(Function, "__setattr__", note)
    older, newer = (threading.Thread(target=ask, args=(function,), name=name) for name in ("older", "newer"))
    older.start()
    begun.wait(10)
    published.move(published.two)
    function._turns.look()
    newer.start()
    older.join()
    noted.set()
    newer.join()
    assert ask(function) == 2


# --- all of it together ----------------------------------------------------------------------------------------------


def test_while_the_alias_moves_each_answer_is_that_of_the_package_it_names(start, published):
    """Threads ask while the alias moves back and forth: no request fails, none is answered by half a change."""
    function = start(f"{published.folder}@production", every=1e-9)
    factors = {published.one: 1, published.two: 2}
    stop, wrong, seen = threading.Event(), [], set()

    def asks():
        while not stop.is_set():
            said = function.respond("POST", "/predict", JSON, ROW)
            digest = dict(said.headers).get("x-model-digest")
            seen.add(digest)
            if said.status != 200 or json.loads(said.body)["row"]["prediction"] != factors[digest]:
                wrong.append(said)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(asks)
        for number in range(40):
            last = published.move((published.two, published.one)[number % 2])
            while function._turns.state.record != last:
                stop.wait(0.001)
        stop.set()
    assert not wrong
    assert seen == {*factors}


class Life(RuleBasedStateMachine):
    """A function's life: its alias moves, its place goes and comes, packages are good or bad."""

    published = start = None

    @initialize()
    def begins(self):
        self.function = self.start(f"{self.published.folder}@production", every=1e-9)
        self.live, self.named, self.away = 1, 1, False

    @rule(good=st.booleans(), factor=st.integers(1, 3))
    def moves(self, good, factor):
        if not self.away:
            self.published.move(self.published.package(factor, expected=None if good else factor + 9))
            self.named = factor if good else None

    @rule()
    def goes(self):
        if not self.away:
            self.published.folder.rename(self.published.folder.with_name("away"))
            self.away = True

    @rule()
    def comes(self):
        if self.away:
            self.published.folder.with_name("away").rename(self.published.folder)
            self.away = False

    @rule()
    def asks(self):
        if not self.away and self.named:
            self.live = self.named
        assert ask(self.function) == self.live
        assert bool(metadata(self.function)["fault"]) == (self.away or self.named is None)


def test_whatever_happens_the_last_good_package_answers(start, published):
    class Here(Life):
        def __init__(self):
            super().__init__()
            away = published.folder.with_name("away")
            if away.exists():
                away.rename(published.folder)
            shutil.rmtree(published.folder / "aliases")
            published.records.clear()
            published.move(published.one)
            self.start, self.published = start, published

    run_state_machine_as_test(Here, settings=settings(max_examples=20, stateful_step_count=20, deadline=None))


# --- what it leaves --------------------------------------------------------------------------------------------------


def test_what_was_loaded_is_not_kept_on_the_disk_nor_the_old_model_in_memory(start, published, temporary):
    function = start(every=1e-9)
    assert ask(function) == 1
    del Times.made[:-1]
    published.move(published.two)
    assert ask(function) == 2
    gc.collect()
    assert [made() is not None for made in Times.made] == [False, True]
    assert not [path for path in temporary.rglob("*") if "packages" in path.parts and path.is_file()]
    function.close()
    assert not [*temporary.iterdir()]


def test_where_nothing_can_be_written_the_start_says_so(start, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    with pytest.raises(UsageError, match="There is no folder for what is downloaded"):
        start()


def test_a_folder_is_followed_as_an_address_is(start, published):
    function = start(f"{published.folder}@production", every=1e-9)
    published.move(published.two)
    assert ask(function) == 2


# --- private places --------------------------------------------------------------------------------------------------


class Cloud:
    """A private place behind the shop, and what gives the tokens that open it; what each of them was shown."""

    def __init__(self, shop):
        self.tokens, self.shown, self.status = 0, [], 401
        shop.instead = self.answer

    def answer(self, request):
        if request.path.startswith(("/msi/token?", "/computeMetadata/v1/instance/service-accounts/default/token")):
            assert "Authorization" not in request.headers
            self.tokens += 1
            body = json.dumps({"access_token": f"CANARY-{self.tokens}", "expires_in": "3600"}).encode()
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
            return True
        self.shown.append((request.headers["Authorization"], request.headers["x-ms-version"]))
        if request.headers["Authorization"] != f"Bearer CANARY-{self.tokens}":
            request.send_error(self.status)
            return True
        return False


@pytest.fixture
def cloud(shop):
    return Cloud(shop)


@pytest.fixture(params=["az", "gs"])
def private(request, cloud, shop, start, published):
    """Return what starts a function that follows a private place by the identity that its cloud gives it."""
    folder = shop.folder / "models" / "sentiment"
    folder.parent.mkdir()
    folder.symlink_to(published.folder)
    (shop.folder / "account").mkdir()
    (shop.folder / "account" / "models").symlink_to(folder.parent)
    azure = {"AZURE_STORAGE_BLOB_ENDPOINT": f"{shop.address}/account", "IDENTITY_ENDPOINT": f"{shop.address}/msi/token"}
    google = {"GOOGLE_BASE_URL": shop.address, "GCE_METADATA_HOST": shop.address.removeprefix("http://")}
    uri, environment = {
        "az": ("az://account/models/sentiment@production", {**azure, "IDENTITY_HEADER": "CANARY-0"}),
        "gs": ("gs://models/sentiment@production", google),
    }[request.param]
    return lambda **more: start(uri, environment={**environment, **more}, every=1e-9)


def test_a_private_place_is_opened_by_a_token_that_is_asked_for_once(private, cloud, published, request):
    function = private()
    published.move(published.two)
    assert (ask(function), metadata(function)["fault"]) == (2, None)
    assert cloud.tokens == 1
    version = "2021-12-02" if "az" in request.node.name else None
    assert {*cloud.shown} == {("Bearer CANARY-1", version)}


def test_a_token_that_ended_in_between_is_asked_for_again_and_never_shown(private, cloud, published, caplog):
    function = private()
    assert ask(function) == 1
    cloud.tokens = 7  # the first one is not accepted any more
    published.move(published.two)
    assert ask(function) == 1
    state = function._turns.state
    assert "the status is 401, and so it cannot be told whether it is there" in state.failure.message
    assert (ask(function), metadata(function)["fault"]) == (2, None)
    assert cloud.shown[-1][0] == "Bearer CANARY-8"
    place = function._turns._place._place
    assert "CANARY" not in f"{state!r}{state.failure}{place!r}{function._turns!r}{caplog.text}"


def test_an_identity_without_the_right_is_told_which(private, cloud, request):
    function = private()
    cloud.status = 403
    assert ask(function) == 1
    cloud.tokens = 7
    assert ask(function) == 1
    right = "Storage Blob Data Reader" if "az" in request.node.name else "storage.objects.list"
    assert right in function._turns.state.failure.remedy


def test_where_nobody_gives_a_token_the_place_is_away(private, cloud, shop):
    shop.instead = lambda request: ("oken" in request.path and request.send_error(500, "CANARY") is None) or False
    function = private()
    assert ask(function) == 1
    assert "token cannot be read: the status is 500" in metadata(function)["fault"]
    assert "CANARY" not in metadata(function)["fault"]


# --- its settings ----------------------------------------------------------------------------------------------------


def test_the_environment_says_what_it_follows(published, shop, monkeypatch):
    seen = []
    monkeypatch.setattr(Function, "__init__", lambda *_, **given: seen.append(given))
    about = {"digest": published.one, "format": "portable"}
    Function.of("package", **about, environment={})
    environment = {"MODEL_URI": "u@a", "MODEL_QUERY": "q", "MODEL_EVERY": "5", "MODEL_TRIAL": "0"}
    Function.of("package", **about, environment=environment)
    nothing = {"uri": "", "query": "", "every": functions.EVERY, "trial": functions.TRIAL}
    assert seen[0] == {**about, **nothing, "environment": {}}
    assert seen[1] == {**about, "uri": "u@a", "query": "q", "every": 5.0, "trial": 0.0, "environment": environment}


@pytest.mark.parametrize("name", ["MODEL_EVERY", "MODEL_TRIAL"])
@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf", "1e400", " "])
def test_seconds_that_are_none_are_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} is"):
        Function.of("package", digest="", format="portable", environment={name: value})


def test_a_uri_of_another_model_or_of_no_form_is_refused_at_the_start(start, shop):
    with pytest.raises(UsageError, match="names the model 'mood', the function holds 'sentiment'"):
        start(f"{shop.address}/mood@production")
    with pytest.raises(UsageError, match="is not of the form") as caught:
        start(f"{shop.address}/sentiment?sig=CANARY@production")
    assert "CANARY" not in str(caught.value)
    with pytest.raises(UsageError, match="not possible"):
        start(every=0)


# --- the trial -------------------------------------------------------------------------------------------------------

LOADER = """
import json
import os
import time


def load(files, spec):
    factor = json.loads(files["model.json"])["factor"]
    if factor == 3:
        os._exit(139)
    if factor == 4:
        time.sleep(3600)
    if factor == 5:
        return bytearray(5 << 30)
    return Times(factor)


class Times:
    engine = "times"

    def __init__(self, factor):
        self.factor = factor

    def score(self, rows):
        return {"prediction": [self.factor * x for x in rows["x"]]}
"""
FOLLOWS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from _mlopskit_runtime.functions import Function
function = Function(sys.argv[2], digest=sys.argv[3], format="portable", uri=sys.argv[4], every=1e-9, trial=3.0)
function._turns.wait = 60
for line in sys.stdin:
    said = json.loads(function.respond("POST", "/predict", {"content-type": "application/json"}, line.encode()).body)
    about = json.loads(function.respond("GET", "/metadata", {}, b"").body)
    print(json.dumps([said["row"]["prediction"], about["fault"], "threading" in sys.modules]), flush=True)
"""


def test_a_package_that_would_take_the_processs_life_or_time_or_memory_is_not_taken(published, tmp_path):
    runtime = tmp_path / "zip" / "_mlopskit_runtime"
    shutil.copytree(Path(turns.__file__).parent, runtime, ignore=shutil.ignore_patterns("__pycache__", "serving"))
    (runtime / "loaders" / "portable.py").write_text(LOADER)
    place = [str(published.file(published.one, "")), published.one, f"{published.folder}@production"]
    command = [sys.executable, "-I", "-S", "-c", FOLLOWS, str(tmp_path / "zip"), *place]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def after(digest):
            published.move(digest)
            process.stdin.write('{"row":{"x":1}}\n')
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        assert after(published.two)[:2] == [2, None]
        for factor, why in (
            (3, "ended with 139"),
            (4, "did not answer within 3 s"),
            (5, "was not loaded: MemoryError"),
        ):
            prediction, fault, _ = after(published.package(factor))
            assert prediction == 2
            assert why in fault
        assert after(published.one)[:2] == [1, None]
        process.stdin.close()
        assert process.wait() == 0
