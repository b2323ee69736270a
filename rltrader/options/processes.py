"""Joining the other processes of a training that runs on several machines, or several times on one."""

from __future__ import annotations

from foundation.errors import InputError

NO_CLUSTER = (
    "no cluster was detected (Slurm, Open MPI or Kubernetes); start every process with --coordinator "
    "HOST:PORT, --processes N and its own --process-id from 0"
)


def join_processes(
    detect: bool, coordinator: str | None, processes: int | None, process_id: int | None
) -> None:
    """Join the other processes, before JAX looks at its devices; nothing where nothing is asked for.

    Args:
        detect: take everything from the cluster that this process was started by.
        coordinator: "host:port" of process 0.
        processes: how many there are.
        process_id: which one this is, from 0.

    Raises:
        InputError: a part is missing, no cluster was detected, or the others can't be reached.
    """
    given = {"--coordinator": coordinator, "--processes": processes, "--process-id": process_id}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given) and not detect:
        return
    if 0 < len(missing) < len(given):
        raise InputError(f"{' and '.join(missing)} missing; give all of {', '.join(given)}")
    if processes is not None and process_id is not None and process_id >= processes:
        raise InputError(f"--process-id is {process_id} of {processes}; they count from 0")
    if coordinator is not None and not _is_place(coordinator):
        raise InputError(f"--coordinator {coordinator!r} is no HOST:PORT, such as 10.0.0.1:1234")
    import jax

    try:
        jax.distributed.initialize(coordinator, processes, process_id)
    except (ValueError, TypeError):
        if coordinator is not None:
            raise
        raise InputError(NO_CLUSTER) from None
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"the other processes can't be joined ({first}); see docs/training.md"
        ) from None


def _is_place(text: str) -> bool:
    """Return whether a text names a host and a port, which JAX takes for granted."""
    host, _, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0
    return bool(host.strip()) and 0 < number < 65536
