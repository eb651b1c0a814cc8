# docker build -t holdall .
# docker run -p 7070:7070 -v holdall:/data holdall
ARG BUILDER=rust:1.95-slim-trixie
ARG BASE=debian:trixie-slim

FROM ${BUILDER} AS build
RUN { command -v cc && command -v make; } || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make; }
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
# The tests are not copied: their target is only named.
RUN mkdir -p tests/it && touch tests/it/main.rs && cargo build --release --locked

# The image
FROM ${BASE}
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin holdall \
 && install -d -o holdall -g holdall -m 700 /data
COPY --from=build /src/target/release/holdall /usr/local/bin/holdall
USER holdall
WORKDIR /data
VOLUME /data
# A container listens on all its networks; TLS is in front of it, or set with HOLDALL_TLS_CERT.
ENV HOLDALL_DATA=/data HOLDALL_LISTEN=0.0.0.0:7070
EXPOSE 7070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s CMD ["holdall", "doctor", "--healthy"]
ENTRYPOINT ["holdall"]
CMD ["serve"]
