# The worker (and the embedded server) with git, ssh and a Python for flows. deploy/README.md tells how to run it.
#   docker build --target worker -t lighterman .            Prefect comes with the flows' own environments
#   docker build --target prefect -t lighterman:prefect .   with Prefect, for pools of type process
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --cache /tmp/npm && rm -rf /tmp/npm
COPY . .
RUN node .ci/build.mjs && sh deploy/image/assemble.sh /opt/lighterman

FROM ${DEBIAN_IMAGE} AS worker
ARG SOURCE_DATE_EPOCH=0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates git openssh-client python3 python3-venv tini \
 && groupadd --gid 10001 lighterman \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/lighterman --create-home --shell /usr/sbin/nologin lighterman \
 && chmod 700 /var/lib/lighterman \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
      /var/log/* /tmp/* /etc/group- /etc/gshadow- /etc/passwd- /etc/shadow- \
      /usr/share/doc /usr/share/man /usr/share/info
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /opt/lighterman /opt/lighterman
RUN ln -s /opt/lighterman/dist/lighterman.js /usr/local/bin/lighterman \
 && ln -s /opt/lighterman/dist/worker.js /usr/local/bin/worker
# All that is written: journal, run output, caches, workspaces, and the home of git, ssh, pip and Prefect.
ENV HOME=/var/lib/lighterman \
    LANG=C.UTF-8 \
    LIGHTERMAN_DATA_DIR=/var/lib/lighterman \
    LIGHTERMAN_WORKER_WITH_HEALTHCHECK=true
VOLUME /var/lib/lighterman
WORKDIR /var/lib/lighterman
USER 10001:10001
# The worker's health page, and the API of `lighterman server start`.
EXPOSE 8080 4200
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["node", "/opt/lighterman/health.mjs"]
# The first one drains; `docker stop` needs --time beyond the drain.
STOPSIGNAL SIGTERM
# tini reaps the orphans that flows leave, and hands signals to the worker alone.
ENTRYPOINT ["tini", "--", "lighterman"]
CMD ["worker", "start", "--help"]

FROM worker AS prefect
ARG PREFECT="prefect==3.8.8"
# What the tests run with: an unpinned installation of Prefect breaks now and then.
ARG PREFECT_CONSTRAINTS=test/integration/constraints-prefect3.txt
ARG SOURCE_DATE_EPOCH=0
USER root
COPY ${PREFECT_CONSTRAINTS} /opt/constraints.txt
RUN python3 -m venv /opt/prefect \
 && /opt/prefect/bin/pip install --no-cache-dir --disable-pip-version-check --constraint /opt/constraints.txt ${PREFECT} \
 && rm -rf /tmp/*
ENV VIRTUAL_ENV=/opt/prefect PATH=/opt/prefect/bin:$PATH
USER 10001:10001

# The last one is what `docker build` makes without --target.
FROM worker
