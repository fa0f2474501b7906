from __future__ import annotations

import re
from pathlib import Path

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _links(page: Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text("utf-8")))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere(root, files):
    pages = [file for file in files if file.suffix == ".md"]
    assert pages
    broken = []
    for page in pages:
        for link in _links(page):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                broken.append(f"{page.relative_to(root)}: {link}")
    assert not broken


def test_no_page_leads_out_of_the_repository(root, files):
    pages = [file for file in files if file.suffix == ".md"]
    outside = [
        f"{page.relative_to(root)}: {found}"
        for page in pages
        for found in re.findall(r"(?:https?|ftp)://\S+|www\.\S+", page.read_text("utf-8"))
    ]
    assert not outside


def test_every_page_can_be_reached_from_the_first(root):
    reached, waiting = set(), [root / "README.md", root / "docs/index.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        waiting += [page.parent / link.partition("#")[0] for link in _links(page)]
    pages = {*root.glob("docs/**/*.md"), root / "CONTRIBUTING.md", root / "CHANGELOG.md"}
    assert not {str(page.relative_to(root)) for page in pages if page.resolve() not in reached}
