"""Walk the whole way on real data: train, gate, package, deploy, verify, refuse, roll back.

    python demo.py

Works on a copy of this folder in build/demo, made afresh each time, and calls what a user would type there. It ends
with an error as soon as anything is not as told.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).absolute().parent
DEMO = EXAMPLE.parents[1] / "build" / "demo"
HERE = os.path.relpath(EXAMPLE, DEMO)
SHARE = "shares/production/sentiment"
WIDTH = "120"  # characters a line: the tables of gates are that wide
STEAK = {"Comment": "The steak was bad!"}
# The commands of this environment, and not whatever else is on the PATH.
COMMANDS = {"python": Path(sys.executable), "mlopskit": Path(sys.executable).with_name("mlopskit")}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class DemoError(Exception):
    """Something is not as told."""


def main() -> int:
    """Walk through all steps; return 0, or 1 with what was not as told."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without UTF-8 shows ? instead
    start = time.perf_counter()
    try:
        prepare()
        first = first_deployment()
        nothing_changed()
        second = new_source()
        swapped_labels(live=second)
        roll_back(first)
        steak(first)
    except (DemoError, OSError, ValueError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next `make demo` starts afresh.", file=sys.stderr)
        return 130
    print(f"All of it in {time.perf_counter() - start:.0f} seconds. Look around:")
    print("  build/demo/mlopskit.toml                the project, in one file")
    print("  build/demo/.mlopskit/registry           its packages, verdicts and records: plain files")
    print(f"  build/demo/{SHARE}  what readers of the file share see; its runtime/ needs no mlopskit")
    print("  examples/sentiment/README.md            the example")
    return 0


def prepare() -> None:
    """Make the copy, and fetch the sentences if they are not there yet."""
    heading("Prepare", "The sentences come from your own package index; the demo works on a copy of the example.")
    check(COMMANDS["mlopskit"].exists(), "mlopskit is not installed beside this Python: run `make demo` instead")
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "data").mkdir(parents=True)
    call("python", f"{HERE}/fetch.py")
    for name in ("mlopskit.toml", "behaviour.toml", "sentiment"):
        call("cp", "-R", f"{HERE}/{name}", ".")


def first_deployment() -> str:
    """Train on three sources, deploy, and return the digest."""
    heading("1. First deployment", "Film reviews, news and product reviews are there; the tweets are still to come.")
    call("cp", *(f"{HERE}/data/{name}.tsv" for name in ("movies", "news", "products")), "data")
    # A gate on rows that are not there would fail, as it must: nothing can be said of them.
    gate = '    "accuracy[source=tweets] >= 0.78",\n'
    config = DEMO / "mlopskit.toml"
    text = config.read_text("utf-8")
    check(gate in text, "mlopskit.toml has no gate for the tweets")
    config.write_text(text.replace(gate, ""), "utf-8")
    digest = run_passes()
    deploy(digest, why="the first model")
    return digest


def nothing_changed() -> None:
    """Run again without a change."""
    heading("2. Nothing changed", "The same data, code and settings: nothing is trained again.")
    check("Nothing changed" in call("mlopskit", "run"), "the second run did something")


def new_source() -> str:
    """Add the tweets with their gate, deploy, and return the digest."""
    heading("3. A new source of data arrives", "Tweets, and with them their gate. A run and a deployment follow.")
    call("cp", f"{HERE}/data/tweets.tsv", "data")
    call("cp", f"{HERE}/mlopskit.toml", ".")
    digest = run_passes()
    deploy(digest, why="tweets arrived")
    return digest


def swapped_labels(*, live: str) -> None:
    """Deliver two sources anew with their labels swapped; the model trained on them must not get out."""
    heading(
        "4. Bad data: a model trained on swapped labels",
        "The reviews are delivered anew, and somebody wrote Positive for Negative in both files. Most test rows are\n"
        "wrong as well, yet the other sources and the behavioural tests tell.",
    )
    for name in ("movies", "products"):
        swap(DEMO / "data" / f"{name}.tsv")
        print(f"(swapped the labels in data/{name}.tsv)\n")
    said = call("mlopskit", "run", expect=1)
    check("refused" in said, "the run was not refused")
    refused = digest_in(said)
    check(refused != live, "the model trained on swapped labels is the earlier one")
    for gate in ("accuracy[source=news] >= 0.6", "behavioural tests"):
        check(re.search(rf"^{re.escape(gate)} +no ", said, re.MULTILINE) is not None, f"{gate!r} did not fail")
    print("It cannot be deployed either:\n")
    said = call("mlopskit", "deploy", "production", expect=1)
    check(refused in said and "was refused" in said, "the deployment was not refused for its verdict")
    print("The share still answers with the model of step 3:\n")
    answers(live)


def roll_back(digest: str) -> None:
    """Go back to the first deployment."""
    heading("5. Roll back", "The earlier model is deployed again: the same loop, verified before and after the switch.")
    said = call("mlopskit", "rollback", "production", "--why", "a complaint about the new one")
    check(digest_in(said) == digest, "it went back to another package than the first")
    check("0 mismatches" in said, "the rollback was not verified")
    check(digest in call("mlopskit", "verify", "production"), "another package is live")
    call("mlopskit", "history", "production")
    call("mlopskit", "status")


def steak(digest: str) -> None:
    """Ask the share as its users do."""
    heading(
        "6. The steak", "Readers need Python, numpy, scikit-learn and skops (see its requirements.txt), not mlopskit."
    )
    answers(digest)


def run_passes() -> str:
    """Run, and return the digest of the package that passed its gates."""
    said = call("mlopskit", "run")
    check("passed: sentiment sha256:" in said, "the run did not pass")
    return digest_in(said)


def deploy(digest: str, *, why: str) -> None:
    """Deploy to production, and look at the receipt."""
    said = call("mlopskit", "deploy", "production", "--why", why)
    check(digest_in(said) == digest, "another package was deployed than the last run's")
    check("200 golden rows" in said and "0 mismatches" in said, "there is no receipt for 200 golden rows")


def answers(digest: str) -> None:
    """Ask what is live on the share about the steak, as a user without mlopskit would."""
    request = json.dumps({"rows": [STEAK]})
    # Another version of mlopskit adds its runtime beside the earlier ones.
    runtime = max((DEMO / SHARE / "runtime").iterdir(), key=lambda folder: folder.stat().st_mtime)
    said = call("python", f"{SHARE}/runtime/{runtime.name}", SHARE, "--alias", "production", stdin=request)
    answer = json.loads(said)
    check(answer.get("digest") == digest, f"the share answers as {answer.get('digest')}, expected {digest}")
    check(answer["rows"][0]["prediction"] == "Negative", "the steak was not bad")


def call(*command: str, expect: int = 0, stdin: str = "") -> str:
    """Print a command as a user would type it in build/demo, run it, print and return what it says."""
    typed = shlex.join(command)
    print(f"$ echo {shlex.quote(stdin)} | {typed}" if stdin else f"$ {typed}", flush=True)
    name, *arguments = command
    done = subprocess.run(
        [COMMANDS.get(name, name), *arguments],
        cwd=DEMO,
        env={**os.environ, "COLUMNS": WIDTH, "PYTHONIOENCODING": "utf-8"},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    said = done.stdout
    print(said, flush=True)
    check(done.returncode == expect, f"`{typed}` ended with {done.returncode}, expected {expect}")
    return said


def swap(path: Path) -> None:
    """Write Positive for Negative and Negative for Positive in a TSV file."""
    other = {"Positive": "Negative", "Negative": "Positive"}
    rows = [line.split("\t") for line in path.read_text("utf-8").split("\n")[:-1]]
    path.write_text("".join(f"{text}\t{other[label]}\n" for text, label in rows), "utf-8", newline="\n")


def digest_in(said: str) -> str:
    """Return the digest that a command printed."""
    found: set[str] = set(DIGEST.findall(said))
    check(len(found) == 1, f"expected one digest, found {len(found)}")
    return found.pop()


def heading(title: str, line: str) -> None:
    """Print what comes now."""
    print(f"\n=== {title} ===\n{line}\n", flush=True)


def check(is_so: bool, fault: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Stop the demo if something is not as told."""
    if not is_so:
        raise DemoError(f"{fault}.")


if __name__ == "__main__":
    sys.exit(main())
