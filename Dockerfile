# syntax=docker/dockerfile:1
# The worker with git and a Python for flows; Prefect itself comes with the flows' own environment (see deploy/README.md).
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git openssh-client python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json /app/LICENSE /opt/lighterman/
COPY --from=build /app/dist /opt/lighterman/dist
# What is not in the bundle: SQLite with its binary, and scripts for Python.
COPY --from=build /app/node_modules/@photostructure/sqlite /opt/lighterman/node_modules/@photostructure/sqlite
COPY --from=build /app/node_modules/node-gyp-build /opt/lighterman/node_modules/node-gyp-build
COPY --from=build /app/src/steps/*.py /opt/lighterman/src/steps/
COPY --from=build /app/src/project/*.py /opt/lighterman/src/project/
COPY --from=build /app/src/cli/demo/project /opt/lighterman/src/cli/demo/project
RUN ln -s /opt/lighterman/dist/lighterman.js /usr/local/bin/lighterman \
 && ln -s /opt/lighterman/dist/worker.js /usr/local/bin/worker \
 && useradd --create-home --uid 10001 lighterman
USER lighterman
WORKDIR /home/lighterman
STOPSIGNAL SIGTERM
# The worker reaps its own children; tini takes the orphans that flows leave.
ENTRYPOINT ["tini", "--", "lighterman"]
CMD ["worker", "start", "--help"]
