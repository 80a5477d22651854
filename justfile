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

# The judge on whatever libFuzzer thinks of, for 15 minutes: see fuzz/README.md. `just fuzz pem pem`
fuzz target dictionary:
    mkdir -p fuzz/corpus/{{target}}
    cargo +nightly fuzz run {{target}} fuzz/corpus/{{target}} fuzz/seeds/{{target}} -- -dict=fuzz/dict/{{dictionary}}.dict -timeout=5 -rss_limit_mb=2048 -max_len=16384 -max_total_time=930

# The tables of docs/benchmarks.md.
bench:
    cargo bench --bench verdict
    cargo bench --bench scale

# The pages that are generated.
docs:
    cargo run -- explain --all > docs/checks.md
