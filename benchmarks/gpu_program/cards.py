"""The GPUs that programs are compiled for, with their rates.

A card has two descriptions: XLA's (a GpuTargetConfigProto in text form, which decides fusion and tile
sizes) and the rates that the model of :mod:`benchmarks.gpu_program.model` divides by. The H100's rates
were measured on one: :mod:`benchmarks.gpu_model.parameters` says how and where each was. No other card
was measured: its rates are the maker's data sheet times what an H100 reaches of its own.

Sources: NVIDIA H100 and H200 data sheets (SXM, dense rates without sparsity); NVIDIA Ada GPU
architecture paper, appendix A (RTX 4090: 82.6 TFLOP/s float32, 82.6 tf32 and 165.2 bf16 with float32
sums, 1008 GB/s, 72 MB of L2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.gpu_program.machines import ALONE, Machine


@dataclass(frozen=True)
class Card:
    """A GPU to compile for.

    Attributes:
        name: as in tables.
        bandwidth: bytes per second of device memory, by the data sheet.
        copy_rate: bytes per second, read and written, of kernels that go through arrays in order.
        gather_rate: the same of kernels that look values up by an index.
        cache_rate: the same of what lies in the cache.
        cache_bytes: of the L2 cache.
        rates: floating-point operations per second of matrix products, by precision.
        memory_bytes: of the device.
        target_config: GpuTargetConfigProto, text form.
        source: where the rates come from.
        machine: the cards among which it works; by default it is alone.
    """

    name: str
    bandwidth: float
    copy_rate: float
    gather_rate: float
    cache_rate: float
    cache_bytes: int
    rates: Mapping[str, float]
    memory_bytes: int
    target_config: str
    source: str
    machine: Machine = ALONE


def _target_config(
    *, cores: int, bandwidth: int, l2: int, clock: float, memory: int, major: int, minor: int,
    shared_per_core: int, shared_optin: int, threads_per_core: int,
) -> str:  # fmt: skip
    """Return XLA's description of a card."""
    return f"""gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: {shared_per_core} threads_per_core_limit: {threads_per_core}
  core_count: {cores} fpus_per_core: 128 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
  block_dim_limit_z: 65535 memory_bandwidth: {bandwidth} l2_cache_size: {l2} clock_rate_ghz: {clock}
  device_memory_size: {memory} shared_memory_per_block_optin: {shared_optin}
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 }}
"""


H100 = Card(
    name="H100",
    bandwidth=3.352e12,
    copy_rate=2.52e12,
    gather_rate=1.71e12,
    cache_rate=3.37e12,
    cache_bytes=52_428_800,
    rates={"float32": 52e12, "tf32": 366e12, "bf16": 720e12},
    memory_bytes=84_978_434_048,
    target_config=_target_config(
        cores=132, bandwidth=3_352_320_000_000, l2=52_428_800, clock=1.98, memory=84_978_434_048,
        major=9, minor=0, shared_per_core=233_472, shared_optin=232_448, threads_per_core=2048,
    ),
    source="measured on one, see benchmarks.gpu_model.parameters",
)  # fmt: skip
H200 = Card(
    name="H200",
    bandwidth=4.8e12,
    copy_rate=3.6e12,
    gather_rate=2.4e12,
    cache_rate=H100.cache_rate,
    cache_bytes=62_914_560,
    rates=H100.rates,
    memory_bytes=150_754_820_096,
    target_config=_target_config(
        cores=132, bandwidth=4_800_000_000_000, l2=62_914_560, clock=1.98, memory=150_754_820_096,
        major=9, minor=0, shared_per_core=233_472, shared_optin=232_448, threads_per_core=2048,
    ),
    source="data sheet: 4.8 TB/s, of which an H100's shares; its processor, products and cache",
)  # fmt: skip
RTX_4090 = Card(
    name="RTX 4090",
    bandwidth=1.008e12,
    copy_rate=0.76e12,
    gather_rate=0.51e12,
    cache_rate=H100.cache_rate,
    cache_bytes=75_497_472,
    rates={"float32": 64e12, "tf32": 61e12, "bf16": 120e12},
    memory_bytes=25_393_692_672,
    target_config=_target_config(
        cores=128, bandwidth=1_008_000_000_000, l2=75_497_472, clock=2.52, memory=25_393_692_672,
        major=8, minor=9, shared_per_core=102_400, shared_optin=101_376, threads_per_core=1536,
    ),
    source="Ada architecture paper: 1,008 GB/s, 82.6 / 82.6 / 165 TFLOP/s, scaled as an H100's",
)  # fmt: skip

CARDS: Mapping[str, Card] = {"h100": H100, "h200": H200, "rtx4090": RTX_4090}
"""By the name that a command line gives."""


def card_of(device_kind: str) -> Card | None:
    """Return the card of a device kind as JAX names it, such as "NVIDIA H100 80GB HBM3"."""
    for card in CARDS.values():
        if card.name.lower() in device_kind.lower():
            return card
    return None
