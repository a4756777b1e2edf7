# syntax=docker/dockerfile:1
# Two targets: `web` (the page; no TensorFlow, only its protocol messages) and
# `serving` (the embedded model server, for those who want it instead of tensorflow/serving).
#
#   docker build --target web     -t pixelcost-web .
#   docker build --target serving -t pixelcost-serving .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS environment
WORKDIR /app
COPY requirements/run.txt requirements/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY experiment experiment
COPY tools tools
RUN /venv/bin/python -m tools.protocol_files /messages

FROM ${PYTHON_IMAGE} AS web-environment
COPY requirements/web.txt requirements/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/web.txt

FROM ${PYTHON_IMAGE} AS web
LABEL org.opencontainers.image.title="pixelcost-web" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/venv/bin:$PATH PYTHONPATH=/messages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PIXELCOST_HOST=0.0.0.0 PORT=5051 PIXELCOST_DATA_DIR=/data
WORKDIR /app
COPY --from=web-environment /venv /venv
COPY --from=environment /messages /messages
COPY experiment experiment
COPY webapp webapp
COPY templates templates
COPY static static
RUN mkdir /data && chown 10001:10001 /data
VOLUME /data
USER 10001:10001
EXPOSE 5051
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5051/healthz', timeout=2)"]
CMD ["gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()"]

FROM ${PYTHON_IMAGE} AS serving
LABEL org.opencontainers.image.title="pixelcost-serving" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=environment /venv /venv
COPY serving serving
COPY models models
RUN python -m models demo --out /models/demo
USER 10001:10001
EXPOSE 8500 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/v1/models/inception', timeout=2)"]
CMD ["python", "-m", "serving", "--port", "8500", "--rest_api_port", "8501", \
     "--model_name", "inception", "--model_base_path", "/models/demo"]
