# syntax=docker/dockerfile:1
# One image for every stage: the levee command, linked statically, and the certificates of public authorities. It runs as
# nobody and writes nothing, so the root may be read-only. docs/image.md says how to build, sign and check it.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# The list of crates goes into the binary, where scanners find it.
RUN cargo install cargo-auditable --version 0.7.7 --locked
WORKDIR /levee
COPY . .
# Named, though it is the machine's own: only then do the flags leave procedural macros alone.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo auditable build --release --locked --bin levee --workspace --target "$target" \
 && install -D --strip "target/$target/release/levee" /image/levee \
 && install -D --mode 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENV LEVEE_LOG_FORMAT=json
ENTRYPOINT ["/levee"]
CMD ["worker", "--all"]
