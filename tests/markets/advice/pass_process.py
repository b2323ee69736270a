"""A pass in a process of its own: python pass_process.py VIEW OUT URL LAST_BAR; made to be killed."""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path

from foundation.signals import stop_on_signal
from markets.advice.chat.client import ChatSettings, open_session
from markets.advice.chat.prompt import PromptSettings
from markets.advice.passes import run_chat
from markets.advice.store import open_store
from markets.advice.table import About, TableKey

view_file, out, url, last = sys.argv[1:]
view = pickle.loads(Path(view_file).read_bytes())
settings, prompt = ChatSettings(url, "tiny", concurrency=3), PromptSettings()
key = TableKey(view.digest, "chat", settings.model, prompt.version, settings.sampling)
store = open_store(Path(out), About(key, view.symbol, len(view)), view.timestamps_ns)


async def main() -> int:
    with stop_on_signal() as stop:
        stop.answer()
        async with open_session(settings) as session:
            await run_chat(
                store, view, session, store.left(view.rows(1)[: int(last) - 99]), prompt, stop=stop
            )
        return stop.exit_code if stop() else 0


sys.exit(asyncio.run(main()))
