"""The verbs, in the order of a model's life."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.cli import commands

PRODUCTION = Path("shares/production/mood")


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Return each file with its time and number: what was written again has others."""
    found = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {str(path): (info.st_mtime_ns, info.st_ino) for path, info in found.items()}


def test_init_writes_what_the_other_commands_read(
    cli: Any, refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("init", "--name", "churn")
    assert (said.code, said.err) == (0, "")
    assert "mlopskit run" in said.out
    assert mk.Project().name == "churn"
    written = Path("mlopskit.toml").read_bytes()
    assert "'mlopskit.toml' is there already." in refused(2, "init")
    assert Path("mlopskit.toml").read_bytes() == written
    assert "There is no file 'data/*.csv'" in refused(3, "run")
    assert "no run yet" in cli("status").out


@pytest.mark.parametrize("name", ["../x", "a/b", "", "Ä", "con", "a\u202eb", "x" * 64])
def test_init_refuses_names_that_are_no_folders_everywhere(refused: Any, tmp_path: Path, name: str) -> None:
    assert "is not allowed" in refused(2, "--project", str(tmp_path / "mlopskit.toml"), "init", "--name", name)
    assert list(tmp_path.iterdir()) == []


def test_init_as_json(cli: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "mlopskit.toml")
    assert cli("--project", file, "init", "--json").json == {"file": file}


def test_init_where_nothing_can_be_written(refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file or directory" in refused(3, "--project", str(tmp_path / "no" / "mlopskit.toml"), "init")
    # A disk that is full takes the name of a file, and not its content.
    monkeypatch.setattr(commands, "_TEMPLATE", Path(__file__))
    template = tmp_path / "template"
    template.write_text("x" * 10)
    monkeypatch.setattr(commands, "_TEMPLATE", template)
    (tmp_path / "full.toml").symlink_to("/dev/full")
    assert "is there already" in refused(2, "--project", str(tmp_path / "full.toml"), "init")


def test_a_run_says_what_changed_and_then_that_nothing_did(cli: Any, fresh_project: Path) -> None:
    first = cli("run")
    assert first.code == 0
    assert first.err == ""
    assert first.out.startswith("Run 1: new: data data/a.csv, new: data data/b.csv, new: settings, new: environment\n")
    assert "passed: mood sha256:" in first.out
    second = cli("run")
    assert second.code == 0
    assert second.out.startswith("Nothing changed since run 1.\n")
    forced = cli("run", "--force")
    assert forced.code == 0
    assert forced.out.startswith("Run 2: forced\n")
    assert "Earlier verdicts on these test rows: 1." in forced.out
    digests = {line for said in (first, second, forced) for line in said.out.splitlines() if line.startswith("passed")}
    assert len(digests) == 1


def test_a_run_says_which_form_was_left_out_and_why(
    cli: Any, fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlopskit.builtin.portable.format.KNOWN", ("0.1",))
    said = cli("run")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("Form left out: portable: ")]
    assert line.startswith("Form left out: portable: scikit-learn ")
    assert line.endswith(" is not one of those read: 0.1.")
    assert "Form left out" not in cli("run").out
    (card,) = fresh_project.glob(".mlopskit/registry/mood/packages/*/README.md")
    assert "is not one of those read: 0.1. |" in card.read_text("utf-8")


def test_a_refused_run_is_refused_again_and_says_why_in_full(
    cli: Any, fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    settings = fresh_project / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("accuracy >= 0.75", "acuracy >= 0.75"))
    said = [cli("run"), cli("run"), cli("run", "--json")]
    assert [one.code for one in said] == [1, 1, 1]
    assert said[1].out.startswith("Nothing changed since run 1.")
    for one in said[:2]:
        assert (
            "Failed: acuracy >= 0.75: There is no metric 'acuracy'. Did you mean 'accuracy'? Known: accuracy, "
            in one.out
        )
        assert "refused: mood sha256:" in one.out
    monkeypatch.setenv("COLUMNS", "1000")
    assert cli("run").out.count("There is no metric 'acuracy'.") == 1
    verdict = said[2].json["verdict"]
    assert [one["passed"] for one in verdict["findings"]] == [False, True]
    refusal = cli("deploy", "production")
    assert refusal.code == 1
    assert refusal.err.startswith("Refused at 'verdict': ")
    assert "Did you mean 'accuracy'?" in refusal.err
    assert not PRODUCTION.exists()
    ejected = cli("eject", "out", "--as", "python")
    assert (ejected.code, ejected.out.splitlines()[-1]) == (0, "It has no passing verdict: no target would take it.")
    taken = cli("deploy", "production", "--override", "for a demonstration", "--json")
    assert (taken.code, taken.json["override"]) == (0, "for a demonstration")


def test_a_run_in_which_nothing_changed_touches_nothing(cli: Any, project: mk.Project) -> None:
    cli("run")  # remembers the digests of files that were copied just now
    before = files_below(project.root)
    assert cli("run").code == 0
    assert files_below(project.root) == before


def test_what_changed_is_listed_up_to_five(cli: Any, project: mk.Project) -> None:
    for name in "cdefgh":
        shutil.copy("data/a.csv", f"data/{name}.csv")
    out = cli("run").out
    assert "new: data data/f.csv and 2 more\n" in out or "new: data data/g.csv and 1 more\n" in out


def test_a_run_as_json_is_one_document(cli: Any, project: mk.Project) -> None:
    said = cli("run", "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["outcome"], said.json["changed"]) == ("passed", [])
    assert said.json["verdict"]["digest"] == said.json["digest"]


def test_build_makes_the_bundle_and_pushes_nothing(cli: Any, refused: Any, project: mk.Project) -> None:
    before = files_below(project.root)
    said = cli("build", "production", "--into", "out/bundle")
    assert said.code == 0
    digest = project.package().digest
    assert f"Built {digest} in out/bundle" in said.out
    assert mk.ModelPackage.open("out/bundle", digest=digest).name == "mood"
    assert {name: state for name, state in files_below(project.root).items() if "/out/" not in name} == before
    assert "'out/bundle' cannot be made: File exists" in refused(2, "build", "production", "--into", "out/bundle")
    as_json = cli("build", "production", "--into", "again", "--json").json
    assert (as_json["digest"], as_json["package"]) == (digest, digest)


@pytest.mark.parametrize("wrong", [("prodction",), ("production", "nobody"), ("production", "sha256:" + "0" * 64)])
def test_a_build_that_fails_leaves_no_folder(refused: Any, project: mk.Project, wrong: tuple[str, ...]) -> None:
    refused(2, "build", *wrong, "--into", "out")
    assert not Path("out").exists()


def test_a_build_of_a_damaged_package_leaves_no_folder(refused: Any, project: mk.Project) -> None:
    package = project.package()
    (package.folder / "README.md").unlink()
    assert "'README.md' is missing" in refused(3, "build", "production", "--into", "out")
    assert not Path("out").exists()


def test_eject_writes_plain_files_and_touches_nothing_else(cli: Any, refused: Any, project: mk.Project) -> None:
    before = files_below(project.root)
    digest = project.package().digest
    said = cli("eject", "out/mood", "--as", "python")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Ejected mood {digest} as python to out/mood (")
    assert "rows that were made up" in said.out
    shown = cli("eject", "shown", digest[7:19], "--as", "python", "--publish-rows", "--json").json
    assert (shown["package"], shown["golden"], shown["format"]) == (digest, True, "portable")
    assert sorted(shown["files"]) == sorted(
        path.relative_to("shown").as_posix() for path in Path("shown").rglob("*") if path.is_file()
    )
    now = files_below(project.root).items()
    assert {name: state for name, state in now if "/out/" not in name and "/shown/" not in name} == before
    assert "'shown' is there already, and not empty." in refused(2, "eject", "shown", "--as", "python")
    assert "Missing option '--as'" in refused(2, "eject", "other")
    assert "Did you mean 'python'?" in refused(2, "eject", "other", "--as", "pyhton")
    assert "endpoint or alias 'nobody'" in refused(2, "eject", "other", "nobody", "--as", "python")
    assert not Path("other").exists()


def test_deploying_again_what_is_live_writes_no_package_again(cli: Any, project: mk.Project) -> None:
    before = files_below(PRODUCTION / "packages")
    said = cli("deploy", "production", "--why", "again")
    assert said.code == 0
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0] == f"Deployed: mood {project.package().digest} to production."
    assert lines[1].startswith("Receipt: ")
    assert "0 mismatches, 0 ties" in lines[1]
    assert files_below(PRODUCTION / "packages") == before
    assert len(list((PRODUCTION / "aliases" / "production").iterdir())) == 2


def test_deploy_verify_roll_back(cli: Any, project: mk.Project) -> None:
    second, first = project.package().digest, project.registry.runs("mood")[0].digest
    said = cli("verify", "production")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"production answers as {second}: ")
    back = cli("rollback", "production", "--json")
    assert (back.code, back.json["package"], back.json["rollback"]) == (0, first, True)
    assert cli("verify", "production", "--json").json["package"] == first
    history = cli("history", "production", "--json").json
    assert [one["package"] for one in history] == [first, second, first]
    assert [one["why"] for one in history] == ["C = 1.0", "C = 10.0", "rollback"]


def test_rolling_back_to_a_digest_by_its_beginning(cli: Any, refused: Any, project: mk.Project) -> None:
    first = project.registry.runs("mood")[0].digest
    assert first is not None
    said = cli("rollback", "production", "--to", first[:19])
    assert said.code == 0
    assert said.out.startswith(f"Rolled back: mood {first} to production.")
    assert "There is no earlier deployment to go back to." in refused(2, "rollback", "production")
    assert "Nothing is live at the endpoint 'validation'" in refused(1, "rollback", "validation")
    assert "mlopskit deploy validation" in refused(1, "verify", "validation")


def test_promote_moves_an_alias_of_the_registry(cli: Any, project: mk.Project) -> None:
    first = project.registry.runs("mood")[0].digest
    said = cli("promote", str(first), "--to", "candidate", "--why", "older is better")
    assert said.code == 0
    assert said.out.startswith(f"Promoted: mood {first} to candidate.")
    moves = cli("history", "candidate").out
    assert "older is better" in moves
    assert len(moves.splitlines()) == 3
    assert mk.load("mood@candidate").digest == first


def test_a_policy_asks_for_approvals_and_an_alias_goes_back_in_one_command(
    cli: Any, refused: Any, project: mk.Project
) -> None:
    first, second = (str(one.digest) for one in project.registry.runs("mood"))
    with Path("mlopskit.toml").open("a") as settings:
        settings.write('[promote.live]\nfrom = "candidate"\napprovals = 1\n')
    assert cli("run").out.startswith("Nothing changed")
    assert "takes only what is live under 'candidate'" in refused(1, "promote", first, "--to", "live")
    assert f"mlopskit approve {second} --for live" in refused(1, "promote", second, "--to", "live")
    said = cli("approve", "candidate", "--for", "live", "--why", "looks right")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Approved for live by ")
    assert cli("approve", "candidate", "--for", "live", "--json").json["digest"] == second
    assert cli("promote", "candidate", "--to", "live", "--why", "better").code == 0
    assert cli("promote", first, "--to", "candidate").code == 0
    back = cli("rollback", "candidate", "--json")
    assert (back.code, back.json["package"], back.json["rollback"]) == (0, second, True)
    (move,) = cli("history", "live", "--json").json
    assert (move["seq"], move["package"], move["why"]) == (1, second, "better")
    assert move["approved by"] == move["who"]
    assert [one["package"] for one in cli("history", "candidate", "--json").json] == [second, first, second]


@pytest.mark.parametrize("verb", ["rollback", "history"])
def test_a_place_that_is_neither_is_unknown(refused: Any, project: mk.Project, verb: str) -> None:
    said = refused(2, verb, "prodction")
    assert "There is no endpoint or alias 'prodction'" in said
    assert "Known: candidate, production, validation." in said
    if verb == "history":
        assert "There is no endpoint or alias 'production'" in refused(2, verb, "production", "--alias")


def test_without_an_earlier_one_an_alias_goes_nowhere(refused: Any, project: mk.Project) -> None:
    assert "There is no earlier deployment" in refused(2, "rollback", "candidate")
    assert "mlopskit promote REFERENCE --to production" in refused(1, "rollback", "production", "--alias")


@pytest.mark.parametrize("alias", ["../x", "a/b", "Upper", "\u202e", "x.json"])
def test_promote_to_a_name_that_is_no_folder_does_nothing(refused: Any, project: mk.Project, alias: str) -> None:
    before = files_below(project.root)
    assert "alias" in refused(2, "promote", "candidate", "--to", alias)
    assert files_below(project.root) == before


def test_status_says_what_is_live_where(cli: Any, project: mk.Project) -> None:
    said = cli("status")
    assert (said.code, said.err) == (0, "")
    digest = project.package().digest
    places = {line.split()[0]: line for line in said.out.splitlines()[2:]}
    assert digest[:19] in places["candidate"]
    assert digest[:19] in places["production"]
    assert "nothing is live" in places["validation"]
    as_json = cli("status", "--json").json
    assert [place["package"] for place in as_json["places"]] == [digest, digest, None]


def test_plugins_lists_what_is_broken_too(cli: Any, install: Callable[..., None]) -> None:
    assert cli("plugins").code == 0
    install("mlopskit-shaky", "import nothing_of_this_name\n", trainers="shaky")
    said = cli("plugins")
    assert said.code == 3
    line = next(line for line in said.out.splitlines() if "shaky" in line)
    assert "mlopskit-shaky" in line
    assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in line
    as_json = cli("plugins", "--json")
    assert as_json.code == 3
    assert [one["name"] for one in as_json.json if one["problem"]] == ["shaky"]


def test_nothing_of_the_surroundings_is_recorded(
    cli: Any, project: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_PASSWORD", "canary-7391")
    Path("mlopskit.toml").write_text(Path("mlopskit.toml").read_text().replace("C = 10.0", "C = 5.0"))
    assert cli("run").code == 0
    assert cli("deploy", "validation").code == 0
    for path in project.root.rglob("*"):
        assert not path.is_file() or b"canary-7391" not in path.read_bytes(), path
    assert json.dumps(dict(os.environ)).count("canary-7391") == 1


EDGE = """
from dataclasses import dataclass
from typing import ClassVar
import mlopskit as mk
from mlopskit.testing import FolderDeployer

@dataclass(frozen=True, kw_only=True)
class Edge(FolderDeployer):
    target: ClassVar[str] = "edge"

    def needs(self, package, model):
        return [mk.Wheels(requirements=("tool==1.0",), platform="linux/aarch64", python="3.11")]

    def build(self, package, model, into):
        super().build(package, model, into)
        for wheels in self.needs(package, model):
            wheels.unpack(into / "site")

    def ask(self, bundle, rows):
        for wheels in self.needs(None, None):
            wheels.cached()
        return super().ask(bundle, rows)

@mk.hookimpl
def mlopskit_deployers():
    return [Edge]
"""


@pytest.fixture
def edge(
    project: mk.Project,
    install: Callable[..., None],
    index: Path,
    make_wheel: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[str, str]:
    """Plug in a deployer that takes a wheel to build and to ask, and leave the project's folder: the lock is there."""
    install("edge", EDGE, deployers="edge")
    with project.file.open("a") as opened:
        opened.write('[endpoint.edge]\ntarget = "edge"\nto = "shares/edge"\n')
    make_wheel(index, "tool")
    monkeypatch.chdir(project.root.parent)
    return "--project", str(project.file)


def test_fetch_before_build(cli: Any, refused: Any, project: mk.Project, edge: tuple[str, str]) -> None:
    digits = project.package().digest.removeprefix("sha256:")[:12]
    assert f"Run 'mlopskit fetch edge {digits}' first." in refused(3, *edge, "build", "edge", "--into", "bundle")
    assert "Did you mean 'edge'?" in refused(2, *edge, "fetch", "edg")
    said = cli(*edge, "fetch", "edge", digits)
    assert (said.code, said.err) == (0, "")
    assert "tool-1.0-py3-none-any.whl" in said.out
    assert "Wrote mlopskit.lock: commit it." in said.out
    assert (project.root / "mlopskit.lock").exists()
    again = cli(*edge, "fetch", "edge", "--json").json
    assert (again["endpoint"], again["downloaded"], again["changed"]) == ("edge", 0, False)
    assert cli(*edge, "build", "edge", "--into", "bundle").code == 0
    assert Path("bundle/site/tool.py").exists()
    assert "there is nothing to fetch" in cli(*edge, "fetch", "production").out


def test_the_wheels_of_the_project_are_there_for_all_that_is_asked(
    cli: Any, refused: Any, project: mk.Project, edge: tuple[str, str]
) -> None:
    first, second = dict.fromkeys(run.digest for run in project.runs())
    assert cli(*edge, "fetch", "edge").code == 0
    for digest in (first, second):
        assert cli(*edge, "deploy", "edge", digest).code == 0
    assert cli(*edge, "rollback", "edge").code == 0
    assert first in cli(*edge, "verify", "edge").out
    assert cli(*edge, "status").code == 0
    project.root.joinpath("mlopskit.lock").unlink()
    fetch = f"Run 'mlopskit fetch edge {first.removeprefix('sha256:')[:12]}' first."
    assert fetch in refused(3, *edge, "verify", "edge")
