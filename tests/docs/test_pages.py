from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/**/*.md"))
RUN = [page for page in PAGES if re.search(r"^```(?:python|console)\n", (ROOT / page).read_text("utf-8"), re.MULTILINE)]


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_is_what_happens(page, run_page):
    run_page(ROOT / page)
