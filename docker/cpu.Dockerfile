# The trading system on a CPU: docker build -f docker/cpu.Dockerfile -t rltrader .
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
# PyTorch's CPU build first, or the next line takes CUDA's, some gigabytes.
# --build-arg TORCH_INDEX=... names the index of its CPU builds, which its installation page gives.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir -c constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
    && pip install --no-cache-dir -c constraints.txt ".[export,sweep-shared]"
RUN useradd --create-home trader
USER trader
WORKDIR /home/trader
ENTRYPOINT ["rltrader"]
CMD ["doctor"]
