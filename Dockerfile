# The origin: one binary on a small Debian. The cache mounts need BuildKit, which is the default of docker build.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin livecounter && cp target/release/livecounter /livecounter

FROM debian:bookworm-slim
# Certificates: Fastly's API and rediss:// are TLS.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --home-dir /data livecounter \
    && install -d -o livecounter -g livecounter /data
COPY --from=build /livecounter /usr/local/bin/livecounter
USER livecounter
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
