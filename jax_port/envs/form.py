"""The two forms in which a program computes, one for a CPU and one for a GPU: chosen once, passed down.

The choice is made where parameters of an environment are made, which hold it: nothing that is traced
asks which device it is for. Both forms compute the same; they differ in how, and in training so in
rounding.
"""

from __future__ import annotations

from typing import Literal, get_args

import jax

Form = Literal["cpu", "gpu"]
"""How a program computes.

``cpu``: loops whose length depends on the data, portions that fit a cache. ``gpu``: few kernels, none
of which the host must wait for; it runs on a CPU too, where it is slower.
"""

FORMS: tuple[Form, ...] = get_args(Form)


def default_form() -> Form:
    """Return the form for the device that JAX uses by default."""
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def form_of(advice: str) -> Form:
    """Return the form in which a policy is trained with advice; the GPU's knows no prior.

    Args:
        advice: "prior", "columns", or "" for without.
    """
    return "cpu" if advice == "prior" else default_form()
