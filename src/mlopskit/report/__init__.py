"""The report: all that is known of one package, for a person who decides. One HTML file, or Markdown for a comment."""

from __future__ import annotations

from mlopskit.report.page import html
from mlopskit.report.summary import markdown
from mlopskit.report.value import Report

__all__ = ["Report", "html", "markdown"]
