"""The two forms of the trainer's program: one for a CPU, one for a GPU. Chosen once, then passed down.

Both compute what :mod:`jax_port.ppo.rollout` and :mod:`jax_port.ppo.update` define; they differ in how,
and so in rounding. Nothing that is traced asks which device it is for.
"""

from __future__ import annotations

from typing import Literal, get_args

import jax

Form = Literal["cpu", "gpu"]
"""How the program computes.

``cpu``: loops whose length depends on the data, portions that fit a cache. ``gpu``: few kernels, none
of which the host must wait for; it runs on a CPU too, where it is slower.
"""

FORMS: tuple[Form, ...] = get_args(Form)


def form_of(advice: str) -> Form:
    """Return the form in which a policy is trained with advice; the GPU's knows no prior.

    Args:
        advice: "prior", "columns", or "" for without.
    """
    return "cpu" if advice == "prior" else default_form()


def default_form() -> Form:
    """Return the form for the device that JAX uses by default."""
    return "cpu" if jax.default_backend() == "cpu" else "gpu"
