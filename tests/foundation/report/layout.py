"""Pages in a real browser: what is wider than the screen, cut off, or drawn outside its figure."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to lay pages out")

WIDTHS = (1400, 400)
"""Pixels of a screen and of a phone."""

PROBE = """
<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body { margin: 0 } iframe { border: 0; display: block; height: HEIGHTpx }</style>
<pre id="found"></pre>
<script>
function faultsOf(page, width) {
  const faults = [];
  const name = e => `${e.tagName.toLowerCase()}.${e.getAttribute('class') || ''} ` +
    `"${(e.textContent || '').trim().replace(/\\s+/g, ' ').slice(0, 40)}"`;
  const scrolls = e => { for (; e; e = e.parentElement) {
    if (['auto', 'scroll'].includes(getComputedStyle(e).overflowX)) return true; } return false; };
  if (page.documentElement.scrollWidth > width)
    faults.push(`the page is ${page.documentElement.scrollWidth} wide`);
  for (const e of page.body.querySelectorAll('*')) {
    const box = e.getBoundingClientRect();
    if (!box.width || scrolls(e.parentElement)) continue;
    if (box.right > width + 0.5 || box.left < -0.5)
      faults.push(`${name(e)} reaches from ${box.left.toFixed()} to ${box.right.toFixed()}`);
    const style = getComputedStyle(e);
    if (style.overflowX === 'hidden' && e.scrollWidth > e.clientWidth) faults.push(`${name(e)} is cut`);
  }
  for (const svg of page.querySelectorAll('figure svg')) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const texts = [...svg.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]);
    for (const [e, box] of texts)
      if (box.left < frame.left - 3 || box.right > frame.right + 3 ||
          box.top < frame.top - 3 || box.bottom > frame.bottom + 3)
        faults.push(`${name(e)} leaves the figure "${svg.getAttribute('aria-label').slice(0, 30)}"`);
    texts.forEach(([e, a], at) => { for (const [f, b] of texts.slice(at + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > 5) faults.push(`${name(e)} lies on ${name(f)}`);
    } });
  }
  return {height: page.documentElement.scrollHeight, faults};
}
const laid = {}, widths = WIDTHS;
for (const width of widths) {
  const frame = document.createElement('iframe');
  frame.style.width = width + 'px';
  frame.srcdoc = PAGE;
  frame.addEventListener('load', () => {
    for (const one of frame.contentDocument.querySelectorAll('details')) one.open = OPEN;
    laid[width] = faultsOf(frame.contentDocument, width);
    if (Object.keys(laid).length == widths.length)
      document.getElementById('found').textContent = JSON.stringify(laid);
  });
  document.body.append(frame);
}
</script>
"""


def browser(folder: Path, *options: str) -> str:
    """Run Chromium without a window and without a network; return what it prints."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-background-networking", "--no-first-run", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", *options,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


def probe(
    page: str, widths: Sequence[int], folder: Path, *, opened: bool = True, height: int = 2000
) -> Path:
    """Write a page in frames of so many pixels, with a script that looks for faults."""
    text = json.dumps(page).replace("</", "<\\/").replace("<!--", "<\\!--")
    filled = PROBE.replace("WIDTHS", json.dumps(list(widths))).replace("HEIGHT", str(height))
    path = folder / "probe.html"
    path.write_text(filled.replace("OPEN", str(opened).lower()).replace("PAGE", text), encoding="utf-8")
    return path


def laid_out(page: str, folder: Path, widths: Sequence[int] = WIDTHS) -> dict[int, dict[str, object]]:
    """Return the page's height and the faults of its layout by width, all that is folded opened."""
    printed = browser(folder, "--dump-dom", f"file://{probe(page, widths, folder)}")
    told = re.search(r'<pre id="found">(.+?)</pre>', printed, re.DOTALL)
    assert told, "the browser did not lay the page out"
    return {int(width): found for width, found in json.loads(html.unescape(told.group(1))).items()}


def layout_faults(page: str, folder: Path) -> list[str]:
    """Return the faults at all widths, each with its width in front."""
    found = laid_out(page, folder)
    return [f"{width}: {fault}" for width, values in found.items() for fault in values["faults"]]  # type: ignore[attr-defined]


class _Requests(HTMLParser):
    """Collects what a page would ask for outside itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("iframe", "object", "embed", "img"):
            self.found.append(tag)
        for name, value in attrs:
            asked = name in ("src", "href", "xlink:href", "srcset", "action")
            if asked and not (value or "").startswith(("#", "data:")):
                self.found.append(f"{tag} {name}={value}")


REMAKE = "the committed page is of other templates: make it anew with python reports/make_pages.py"


def words_of(page: str) -> str:
    """Return a page without its drawings, whose paths differ between versions of matplotlib."""
    return re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def outside_requests(page: str) -> list[str]:
    """Return what a page would ask for outside itself: links, files, imports of styles."""
    styles = re.findall(r"@import[^;]*|url\((?!#)[^)]*\)|https?://[^\s\"'<)]*", page)
    return _Requests(page).found + styles
