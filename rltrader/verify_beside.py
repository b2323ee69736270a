"""Verification of a bundle in a process of its own, beside whatever else goes on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundation.signals import worker_start
from markets import Contract, InputError, register_contract
from markets.contracts import added_contracts
from markets.contracts_file import know_files, known_files
from parity.export_chain.verify import Request, verify

Report = Mapping[str, Any]
Verification = Callable[[], Report]
"""Waits for a report, as :func:`parity.export_chain.verify.verify` gives it."""


@contextmanager
def verifying_beside() -> Iterator[Callable[[Request], Verification]]:
    """Give a function that begins to verify a bundle, and returns at once how to wait for its report.

    Bundles are verified one after another, in one process. It is gone with the block; an error that
    ends that ends the process too, whatever it does.

    Yields:
        (request) -> (() -> report). Waiting raises InputError where the bundle or the bars can't be
        used, C# is needed and Mono is missing, or a process died.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=worker_start(_start, added_contracts(), known_files()),
    )
    try:
        yield lambda request: _waiting(pool.submit(verify, request), request)
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:  # nobody waits for its work
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start(contracts: Sequence[Contract], files: Mapping[str, Path]) -> None:
    """Know the contracts that this process's parent knows."""
    for contract in contracts:
        register_contract(contract, overwrite=True)
    know_files(files)


def _waiting(future: Future[dict[str, Any]], request: Request) -> Verification:
    def wait() -> Report:
        try:
            return future.result()
        except BrokenProcessPool:
            raise InputError(
                f"{request.folder}: the process that verified it died, perhaps for lack of memory; "
                "verify it by itself with rltrader export verify"
            ) from None

    return wait
