"""Pages in a real browser: what is wider than the screen, cut off, or drawn outside its figure."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to lay pages out")

PROBE = """
<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body { margin: 0 } iframe { border: 0; display: block; width: WIDTHpx; height: HEIGHTpx }</style>
<iframe srcdoc="PAGE"></iframe><pre id="found"></pre>
<script>
document.querySelector('iframe').addEventListener('load', event => {
  const page = event.target.contentDocument, width = WIDTH, faults = [];
  for (const one of page.querySelectorAll('details')) one.open = OPEN;
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
  document.getElementById('found').textContent = JSON.stringify(
    {height: page.documentElement.scrollHeight, faults});
});
</script>
"""


def browser(folder: Path, *options: str) -> str:
    """Run Chromium without a window and without a network; return what it prints."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-background-networking", "--no-first-run", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000", *options,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def probe(page: str, width: int, folder: Path, *, opened: bool = True, height: int = 2000) -> Path:
    """Write a page in a frame of so many pixels, with a script that looks for faults."""
    path = folder / f"probe{width}.html"
    text = PROBE.replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    text = text.replace("OPEN", str(opened).lower())
    path.write_text(text.replace("PAGE", html.escape(page, quote=True)), encoding="utf-8")
    return path


def layout_of(page: str, width: int, folder: Path) -> tuple[list[str], int]:
    """Return the layout's faults at a width, everything folded opened, and the page's height."""
    printed = browser(folder, "--dump-dom", f"file://{probe(page, width, folder)}")
    told = re.search(r'<pre id="found">(.+?)</pre>', printed, re.DOTALL)
    assert told, "the browser did not lay the page out"
    values = json.loads(html.unescape(told.group(1)))
    return values["faults"], values["height"]
