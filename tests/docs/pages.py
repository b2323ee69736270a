"""The Markdown pages of the project: their code blocks, code spans, links, headings and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""
FOLDERS = ("", "docs", "examples", "reports")
"""Folders whose Markdown files are checked; "" stands for the project's own folder, not below it."""


@dataclass(frozen=True)
class Fault:
    """Something in a page that is not true.

    Attributes:
        page: path of the page, from the project's folder.
        line: line of the page, from 1.
        text: what is wrong.
    """

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Block:
    """A fenced code block, or an HTML comment that stands alone.

    Attributes:
        language: word after the fence; "comment" for an HTML comment.
        code: content without the fence or the comment's arrows.
        line: line of the first line of ``code``, from 1.
    """

    language: str
    code: str
    line: int


@dataclass
class Page:
    """One Markdown page.

    Attributes:
        name: path from the project's folder.
        text: content.
        blocks: fenced blocks and comments, in order.
        spans: (line, text) of every inline code span.
        links: (line, target) of every link and picture.
        anchors: fragments that a link to this page may name.
    """

    name: str
    text: str
    blocks: list[Block] = field(default_factory=list)
    spans: list[tuple[int, str]] = field(default_factory=list)
    links: list[tuple[int, str]] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        """The folder that relative links start from."""
        return (ROOT / self.name).parent


def anchor(heading: str) -> str:
    """Return the fragment that GitHub and MkDocs make of a heading."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def read(name: str, text: str) -> Page:
    """Return the page of that text; ``name`` is its path from the project's folder."""
    page = Page(name, text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for number, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            page.blocks.append(Block(token.info.split(" ")[0], token.content, line + 1))
        elif token.type == "html_block":
            page.blocks.extend(_comments(token.content, line))
        elif token.type == "inline":
            _inline(page, token, line)
            if tokens[number - 1].type == "heading_open":
                page.anchors.add(anchor("".join(part.content for part in token.children or [])))
    page.anchors.update(re.findall(r'id="([^"]+)"', text))
    return page


def _comments(html: str, line: int) -> Iterator[Block]:
    for match in re.finditer(r"<!--(.*?)-->", html, re.DOTALL):
        yield Block("comment", match[1], line + html[: match.start(1)].count("\n"))


def _inline(page: Page, token: Token, line: int) -> None:
    for part in token.children or []:
        if part.type == "code_inline":
            page.spans.append((line, part.content))
        elif part.type == "link_open":
            page.links.append((line, str(part.attrGet("href"))))
        elif part.type == "image":
            page.links.append((line, str(part.attrGet("src"))))
        elif part.type in ("softbreak", "hardbreak"):
            line += 1


@cache
def pages() -> tuple[Page, ...]:
    """Return all pages of the project."""
    paths: list[Path] = []
    for folder in FOLDERS:
        top = ROOT / folder
        paths.extend(sorted(top.glob("*.md") if not folder else top.rglob("*.md")))
    return tuple(read(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in paths)
