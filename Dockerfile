# Built and run with:
#   docker build -t moraine .
#   docker run --stop-timeout 30 -p 127.0.0.1:8181:8181 -v moraine:/data \
#     -e MORAINE_AUTH=keys moraine
# Without MORAINE_AUTH=keys or MORAINE_OPEN_TO_ALL=yes its first line says why it does not start.
# `npx tsx interop/run.ts image` carries out every step of it where no engine runs.

# Not 24: docs/decisions/0005. The whole Debian: where no prebuilt SQLite fits, npm compiles one.
FROM node:22-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev && mkdir data

FROM node:22-bookworm-slim
ENV NODE_ENV=production MORAINE_HOME=/data MORAINE_HOST=0.0.0.0 MORAINE_PORT=8181
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY schemas ./schemas
COPY openapi.yaml LICENSE ./
COPY --from=build --chown=node:node /app/data /data
# Code belongs to root: the service can write to its home only.
USER node
VOLUME /data
EXPOSE 8181
# Node itself is the first process, so that it gets the signal, and ends what is under way.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --start-interval=1s \
  CMD ["node", "-e", \
  "fetch(`http://127.0.0.1:${process.env.MORAINE_PORT}/ready`).then((r) => process.exit(+!r.ok))"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
