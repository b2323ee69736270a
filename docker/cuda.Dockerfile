# The trading system on an NVIDIA GPU: docker build -f docker/cuda.Dockerfile -t rltrader:cuda .
# Run with --gpus all. CUDA comes with JAX's own packages; the machine needs only its driver.
FROM python:3.11-slim
WORKDIR /opt/rltrader
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY foundation foundation
COPY markets markets
COPY legacy_torch legacy_torch
COPY jax_port jax_port
COPY parity parity
COPY benchmarks benchmarks
COPY ninjatrader ninjatrader
COPY rltrader rltrader
# PyTorch is the reference and runs on the CPU; the GPU is JAX's.
# --build-arg TORCH_INDEX=... names the index of its CPU builds, which its installation page gives.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir -c constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
    && pip install --no-cache-dir -c constraints.txt ".[export,sweep-shared]" "jax[cuda12]"
RUN useradd --create-home trader
USER trader
WORKDIR /home/trader
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["rltrader"]
CMD ["doctor"]
