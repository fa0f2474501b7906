from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/**/*.md"))
TEXTS = {page: (ROOT / page).read_text("utf-8") for page in PAGES}
ELSEWHERE = {page: found[1] for page, text in TEXTS.items() if (found := re.match(r"<!-- run by (\S+) -->", text))}
SHOWING = [page for page, text in TEXTS.items() if re.search(r"^```(?:python|console)\n", text, re.MULTILINE)]
RUN = [page for page in SHOWING if page not in ELSEWHERE]


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_is_what_happens(page, run_page):
    run_page(ROOT / page)


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_page_that_is_run_elsewhere_is_run_there(page):
    assert Path(page).name in (ROOT / ELSEWHERE[page]).read_text("utf-8")
