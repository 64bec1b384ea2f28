# Built and run with:
#   docker build -t moraine .
#   docker run -p 127.0.0.1:8181:8181 -v moraine:/data moraine
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production MORAINE_HOME=/data MORAINE_HOST=0.0.0.0 MORAINE_PORT=8181
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY schemas ./schemas
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8181
# Node itself is the first process, so that it gets SIGTERM and stops gracefully.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.MORAINE_PORT}/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
