"""A hook of MkDocs: the committed reports' pages go into the site, and links to them lead there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPORTS = Path(__file__).resolve().parents[1] / "reports" / "reference"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every committed HTML report as ``reports/...`` of the site."""
    for path in sorted(REPORTS.rglob("*.html")):
        place = f"reports/{path.relative_to(REPORTS).as_posix()}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **kwargs: Any) -> str:
    """Turn links to the repository's reports into links to the site's."""
    folder = posixpath.dirname(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        return f"]({posixpath.relpath('reports/' + match[1], folder or '.')})"

    return re.sub(r"\]\((?:\.\./)+reports/reference/([^)]+)\)", replace, markdown)
