# The image of core, and of its migration (`node core/migrate.ts`): from the repository's root,
#
#   docker build -f deploy/docker/core.Dockerfile -t local-plus/core:0.1.0 .
#
# Needs nothing writable at run time: --read-only works. Configuration comes by environment (core/config.ts).
ARG NODE_IMAGE=node:22-bookworm-slim

# Every workspace's package.json is part of the lockfile's tree, so npm wants them all; their code comes later, so that
# a change of code does not install anew. Optional packages are the pinned Node of developers: the base has its own.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY contracts/package.json contracts/
COPY actors/package.json actors/
COPY core/package.json core/
COPY edge/package.json edge/
COPY loadtest/package.json loadtest/
COPY deploy/package.json deploy/
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE} AS runtime
LABEL org.opencontainers.image.title="local-plus core" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    CORE_HOST=0.0.0.0 \
    CORE_PORT=8080
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY contracts contracts
COPY actors actors
COPY core core
# By number, so that Kubernetes can see that it is not root. The files stay root's: the process cannot change them.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: a restart does not mend a Postgres that is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CORE_PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "core/main.ts"]
