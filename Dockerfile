# Seven images, each a target. docs/compose.md says how to build and use them; docs/locust.md and docs/queue.md, the rest.
#   web      the page and the API; no TensorFlow, only its protocol messages
#   serving  the embedded model server: takes the place of tensorflow/serving, same flags, ports and folders
#   model    puts a servable into a shared volume, then ends; MODEL is a name of `python -m models list`
#   fetch    `python -m models.remote`: a model from S3, GCS, HTTP or a registry of images into a volume, then ends
#   load     `python -m loadtest`: load tests of a model server, with Locust
#   jobs     `python -m jobs`: workers that take jobs from a queue to a model server
#   gateway  pictures in, JSON out: jobs over HTTP, and Cluster Serving's front end
#
#   docker build --target web -t pixelcost-web:0.1.0 .

# The digest of the tag when this was written; CONTRIBUTING.md says how to renew it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=

# --- what the images are made of ---

FROM ${PYTHON_IMAGE} AS environment
COPY requirements/run.txt requirements/tensorflow.txt requirements/tensorflow-cpu.txt /requirements/
# TensorFlow without code for GPUs; other processors than x86-64 have only the one build. include/: see the Makefile.
RUN build=tensorflow$(test "$(uname -m)" != x86_64 || echo -cpu) \
    && python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --require-hashes -r /requirements/run.txt \
    && pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes -r "/requirements/$build.txt" \
    && rm -r /venv/lib/python3*/site-packages/tensorflow/include

FROM environment AS messages
WORKDIR /app
COPY common common
COPY experiment experiment
COPY tools tools
RUN /venv/bin/python -m tools.protocol_files /messages

FROM environment AS exported
ARG MODEL=efficientnet-lite0
ARG PIXELCOST_WEIGHTS_URL=
WORKDIR /app
COPY common common
COPY models models
RUN /venv/bin/python -m models export "$MODEL" --out /model

FROM ${PYTHON_IMAGE} AS web-packages
COPY requirements/web.txt /requirements/
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /requirements/web.txt \
    && find /venv -type d -name tests -prune -exec rm -r {} +

FROM web-packages AS web-environment
WORKDIR /app
COPY --from=messages /messages /messages
COPY common common
COPY experiment experiment
COPY loadtest loadtest
COPY httpserver httpserver
COPY webapp webapp
# Bytecode of what the app imports and of nothing else: a read-only container can't keep any, and without it a
# start takes nearly three times as long.
RUN PYTHONPATH=/messages /venv/bin/python -c "import webapp.worker.__main__, webapp.worker.load, httpserver.gunicorn_worker, gunicorn.app.wsgiapp, \
    experiment.backends.grpc, experiment.backends.probe, sqlalchemy.dialects.sqlite, sqlalchemy.dialects.postgresql.psycopg"

FROM ${PYTHON_IMAGE} AS load-packages
COPY requirements/locust.txt /requirements/
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /requirements/locust.txt \
    && find /venv -type d -name tests -prune -exec rm -r {} +

FROM load-packages AS load-environment
WORKDIR /app
COPY --from=messages /messages /messages
COPY common common
COPY experiment experiment
COPY loadtest loadtest
# Bytecode, as above. Locust first: it changes modules before others take names from them.
RUN PYTHONPATH=/messages /venv/bin/python -c "import loadtest.users.locustfile, loadtest.commands.main"

FROM web-packages AS jobs-environment
COPY requirements/jobs.txt /requirements/
RUN pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /requirements/jobs.txt \
    && find /venv -type d -name tests -prune -exec rm -r {} +
WORKDIR /app
COPY --from=messages /messages /messages
COPY common common
COPY experiment experiment
COPY httpserver httpserver
COPY jobs jobs
COPY gateway gateway
# Bytecode, as above.
RUN PYTHONPATH=/messages /venv/bin/python -c "import jobs.commands.serve, jobs.worker.main, gateway.app, gunicorn.app.wsgiapp"

FROM ${PYTHON_IMAGE} AS fetch-environment
COPY requirements/remote.txt /requirements/
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /requirements/remote.txt \
    && find /venv/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
         ! -name s3 ! -name sts ! -name sso ! -name sso-oidc -exec rm -r {} +
WORKDIR /app
COPY common common
COPY models models
# Bytecode, as above.
RUN /venv/bin/python -c "import models.remote.__main__, models.remote.s3, models.remote.gcs, models.remote.web, \
    models.remote.registry, botocore.session, google.auth.transport.requests"

# --- the images ---

FROM ${PYTHON_IMAGE} AS web
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-web" \
      org.opencontainers.image.description="Which image size, format and hardware to serve a classifier with: page and API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/venv/bin:$PATH PYTHONPATH=/messages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PIXELCOST_HOST=0.0.0.0 PORT=5051 PIXELCOST_DATA_DIR=/data
WORKDIR /app
COPY --from=web-environment /venv /venv
COPY --from=web-environment /messages /messages
COPY --from=web-environment /app /app
COPY templates templates
COPY static static
RUN mkdir /data && chown 10001:10001 /data
VOLUME /data
USER 10001:10001
EXPOSE 5051
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:5051/healthz', timeout=4)"]
CMD ["gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()"]

FROM ${PYTHON_IMAGE} AS serving
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-serving" \
      org.opencontainers.image.description="Model server with TensorFlow Serving's protocol, flags and folders" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
# MODEL_NAME and MODEL_BASE_PATH mean what they mean in tensorflow/serving.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MODEL_NAME=inception MODEL_BASE_PATH=/models
WORKDIR /app
COPY --from=environment /venv /venv
COPY common common
COPY experiment/__init__.py experiment/protocol.py experiment/
COPY common common
COPY serving serving
COPY --from=exported --chown=10001:10001 /model /models/inception
USER 10001:10001
EXPOSE 8500 8501
# Metadata is answered only while a version is available; the status is answered in every state.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import os; from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8501/v1/models/' + os.environ['MODEL_NAME'] + '/metadata', timeout=4)"]
ENTRYPOINT ["sh", "-c", "exec python -m serving --port=8500 --rest_api_port=8501 --model_name=${MODEL_NAME} --model_base_path=${MODEL_BASE_PATH}/${MODEL_NAME} \"$@\"", "serving"]

FROM ${PYTHON_IMAGE} AS model
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-model" \
      org.opencontainers.image.description="Puts a servable into a shared volume, then ends" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY common common
COPY models/__init__.py models/install.py models/placing.py models/problems.py models/
COPY --from=exported /model /model
RUN mkdir -p /models/inception && chown 10001:10001 /models/inception
USER 10001:10001
HEALTHCHECK NONE
CMD ["python", "-m", "models.install", "/model", "/models/inception"]

FROM ${PYTHON_IMAGE} AS fetch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="pixelcost-fetch" \
      org.opencontainers.image.description="Fetches a model from S3, GCS, HTTP or a registry into a volume, then ends" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=fetch-environment /venv /venv
COPY --from=fetch-environment /app /app
RUN mkdir -p /models/inception && chown 10001:10001 /models/inception
USER 10001:10001
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "models.remote"]

FROM ${PYTHON_IMAGE} AS load
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-load" \
      org.opencontainers.image.description="Load tests of model servers over REST and gRPC, with Locust" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
# SERVER and BATCHSIZE say what is loaded, and with how much in a request.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/messages:/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=load-environment /venv /venv
COPY --from=load-environment /messages /messages
COPY --from=load-environment /app /app
# Results go below the working folder, the code comes from PYTHONPATH.
WORKDIR /data
RUN chown 10001:10001 /data
VOLUME /data
USER 10001:10001
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "loadtest"]
CMD ["users"]

FROM ${PYTHON_IMAGE} AS jobs
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-jobs" \
      org.opencontainers.image.description="Workers that take jobs from a queue in Redis to a model server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/venv/bin:$PATH PYTHONPATH=/messages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIXELCOST_DATA_DIR=/tmp
WORKDIR /app
COPY --from=jobs-environment /venv /venv
COPY --from=jobs-environment /messages /messages
COPY --from=jobs-environment /app /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "jobs"]
CMD ["serve", "--health-port=8080"]

FROM ${PYTHON_IMAGE} AS gateway
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="pixelcost-gateway" \
      org.opencontainers.image.description="Pictures in, JSON out: jobs over HTTP, and Cluster Serving's front end" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV PATH=/venv/bin:$PATH PYTHONPATH=/messages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIXELCOST_HOST=0.0.0.0
WORKDIR /app
COPY --from=jobs-environment /venv /venv
COPY --from=jobs-environment /messages /messages
COPY --from=jobs-environment /app /app
USER 10001:10001
EXPOSE 4343 10020
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:4343/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "gateway"]
CMD ["--port=4343", "--frontend_port=10020"]
