# Zhiyin in two images, each with the embedded voice inside: no download at start, no root.
#
#   docker build -t zhiyin .                       for CPUs
#   docker build -t zhiyin --build-arg EXTRAS=cpu,codecs,numba .    the same with the compiled decoder
#   docker build -t zhiyin:gpu --target gpu .      for NVIDIA GPUs: CUDA 13, ONNX Runtime with CUDA, TensorRT 11
#
#   docker run --rm -p 8080:8080 zhiyin
#   docker run --rm -p 8080:8080 --gpus all -e ZHIYIN_VOICE__DEVICE=cuda zhiyin:gpu
#
# More voices: -v /path/to/voices:/voices. Engines that were built survive with -v zhiyin-cache:/var/cache/zhiyin.
# Settings:    -e ZHIYIN_LIMITS__CONNECTIONS=64, or mount a file and append `serve --host 0.0.0.0 --config FILE`

# --- GPU: built on the image with compilers and CUDA's headers (for pycuda), run on the one without ---------------
FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS build-gpu
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-dev python3-venv g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/zhiyin \
    && /opt/zhiyin/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[gpu,trt,codecs]"

FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04 AS gpu
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --no-create-home zhiyin \
    && mkdir -p /voices /var/cache/zhiyin \
    && chown 10001 /voices /var/cache/zhiyin
COPY --from=build-gpu /opt/zhiyin /opt/zhiyin
ENV PATH=/opt/zhiyin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ZHIYIN_VOICES=/voices \
    ZHIYIN_VOICE__ENGINE_FOLDER=/var/cache/zhiyin/engines
USER 10001
VOLUME ["/voices", "/var/cache/zhiyin"]
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2).read()"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["zhiyin"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]

# --- CPU: the last stage, and so the default target ----------------------------------------------------------------
FROM python:3.12-slim AS build-cpu
ARG EXTRAS=cpu,codecs
WORKDIR /src
COPY . .
# A virtual environment is the one thing that moves to the final image: no pip cache, no sources, no build tools.
RUN python -m venv /opt/zhiyin \
    && /opt/zhiyin/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim AS cpu
RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home zhiyin \
    && mkdir -p /voices /var/cache/zhiyin \
    && chown 10001 /voices /var/cache/zhiyin
COPY --from=build-cpu /opt/zhiyin /opt/zhiyin
ENV PATH=/opt/zhiyin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/zhiyin/numba \
    ZHIYIN_VOICES=/voices \
    ZHIYIN_VOICE__ENGINE_FOLDER=/var/cache/zhiyin/engines
USER 10001
VOLUME ["/voices", "/var/cache/zhiyin"]
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2).read()"]
# SIGTERM ends open utterances within the configured grace period; give `docker stop` at least as long.
STOPSIGNAL SIGTERM
ENTRYPOINT ["zhiyin"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
