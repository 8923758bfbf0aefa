# One image for the web server, the worker, beat and migrations; docker-entrypoint.sh says how each is started.
#   docker build --tag hakem .
# TORCH_INDEX is where torch comes from: by default the small build for CPUs.

FROM python:3.11-slim AS packages
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt /tmp/
RUN python -m venv /venv \
 && /venv/bin/pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' /tmp/requirements.txt)" \
 && /venv/bin/pip install --requirement /tmp/requirements.txt

FROM python:3.11-slim
# Everything that is ever written lies below /data and /tmp, so the rest may be mounted read-only.
# The last two must be set before torch and the tokenizers are imported; manage.py says why.
# hadolint ignore=DL3064
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HAKEM_DATA_DIR=/data \
    HF_HOME=/data/hub \
    OMP_WAIT_POLICY=PASSIVE \
    TOKENIZERS_PARALLELISM=false
RUN useradd --uid 10001 --no-create-home --home-dir /data hakem \
 && install --directory --owner hakem --mode 750 /data
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/app/docker-entrypoint.sh", "healthy"]
ENTRYPOINT ["/app/docker-entrypoint.sh"]
CMD ["web"]
