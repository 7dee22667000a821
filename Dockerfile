# The origin: one binary on a small Debian. The cache mounts need BuildKit, the default of `docker build` since Docker 23 where
# its plugin buildx is installed; before, DOCKER_BUILDKIT=1 asks for it.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY src src
COPY templates templates
COPY clients/js/live-counter.js clients/js/live-counter.js
COPY docs/examples/analytics/collect.js docs/examples/analytics/collect.js
# Cargo goes by the times of files, and the cached target directory may be younger than a change: a file that was edited
# during the build before, another checkout. Touched, our own sources are always compiled.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=livecounter-target,target=/src/target,sharing=locked \
    touch src/lib.rs src/main.rs && cargo build --locked --release --bin livecounter && cp target/release/livecounter /livecounter

FROM debian:bookworm-20260803-slim
# Certificates: Fastly's API and rediss:// are TLS.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 livecounter \
    && useradd --uid 10001 --gid livecounter --no-create-home --home-dir /data --shell /usr/sbin/nologin livecounter \
    && install -d -o livecounter -g livecounter /data
COPY --from=build /livecounter /usr/local/bin/livecounter
# By number, so that a Kubernetes with runAsNonRoot can tell that it is not root.
USER 10001:10001
# The SQLite file of an origin that has no Redis is written here: mount something that lasts.
WORKDIR /data
ENV LIVECOUNTER__LISTEN=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
# bash can speak TCP by itself: no HTTP client in the image for this alone.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["livecounter"]
CMD ["serve"]
