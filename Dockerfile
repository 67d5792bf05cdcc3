# armorm with its server, on the CPU. Build: docker build -t armorm .
# Serve a model (docs/http-api.md): docker run -p 8000:8000 -e ARMORM_API_KEY -v /path/to/models:/models:ro armorm serve --model /models/mine --host 0.0.0.0
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
# ONNX Runtime comes with the binaries of every platform.
RUN npm run build && npm prune --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HF_HOME=/cache
RUN mkdir -p /cache /models && chown 1000:1000 /cache
WORKDIR /app
COPY --from=build /src/package.json /src/LICENSE ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/models/tiny ./models/tiny
COPY --from=build /src/dist ./dist
# The images of Node have this user: node.
USER 1000:1000
VOLUME /cache
EXPOSE 8000
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["--help"]
