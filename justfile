# The usual commands. `just` lists them.
default:
    @just --list

# What has to pass before a commit.
all: fmt clippy test deny

fmt:
    cargo fmt --check

clippy:
    cargo clippy --all-targets --all-features -- -D warnings

test:
    cargo test

deny:
    cargo deny check

# Random situations, judged by the rules and by real gRPC.
oracle:
    cargo test --features oracle --test oracle -- --nocapture

# The pages that are generated.
docs:
    cargo run -- explain --all > docs/checks.md
