# Zhiyin on CPUs, with the embedded voice inside: no download at start, no root.
#
#   docker build -t zhiyin .
#   docker run --rm -p 8080:8080 zhiyin
#
# More voices: -v /path/to/voices:/voices:ro -e ZHIYIN_VOICES=/voices
# Settings:    -e ZHIYIN_LIMITS__CONNECTIONS=64, or mount a file and append `serve --host 0.0.0.0 --config FILE`

FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
# A virtual environment is the one thing that moves to the final image: no pip cache, no sources, no build tools.
RUN python -m venv /opt/zhiyin \
    && /opt/zhiyin/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[cpu]"

FROM python:3.12-slim
COPY --from=build /opt/zhiyin /opt/zhiyin
ENV PATH=/opt/zhiyin/bin:$PATH \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home zhiyin
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2).read()"]
# SIGTERM ends open utterances within the configured grace period; give `docker stop` at least as long.
STOPSIGNAL SIGTERM
ENTRYPOINT ["zhiyin"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
