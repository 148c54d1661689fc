# The tasks of the project. `just` alone lists them. `.ci/run` runs the ones that must pass.

tools := justfile_directory() / ".tools"

# list the tasks
default:
    @just --list --unsorted

# format everything
fmt:
    cargo fmt --all

# formatting and clippy, warnings denied
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# all tests, or those whose name contains FILTER
test *FILTER:
    cargo test --workspace {{ FILTER }}

# back up the sample warehouse on a local AWS in this process
demo *ARGUMENTS:
    cargo run --release --bin levee -- demo {{ ARGUMENTS }}

# a night of a lake with objects of all sorts and SMALL small ones, compared attribute by attribute
sorts SMALL="100000":
    cargo build --release --workspace --bins
    target/release/all_sorts {{ SMALL }}

# Levee, its peers and the limit of the machine on the same data: writes the table in README. Takes half an hour and 20 GB; `--large 0` a third
bench *ARGUMENTS:
    cargo build --release --workspace --bins
    .ci/python bench benches/requirements.txt
    target/release/levee-bench run --python {{ tools }}/bench/bin/python --json target/bench.json --markdown target/bench.md --readme README.md {{ ARGUMENTS }}

# codecs, parsers, replay: the small parts by themselves
bench-micro *ARGUMENTS:
    cargo bench --workspace --bench micro {{ ARGUMENTS }}

# tables a second of the look at a bucket of TABLES small tables, a night of them on the twin
bench-tables TABLES="10000":
    cargo build --release --workspace --bins
    target/release/bench_tables --tables {{ TABLES }}

# what Levee adds to a night with RUNS runs at once, on the twin, with calls that take no time and with calls of 20 ms
bench-overhead RUNS="1,100,1000":
    cargo build --release --workspace --bins
    target/release/bench_overhead --runs {{ RUNS }} --call-ms 0,20 --json target/overhead.json

# play SEEDS months with random faults, from the seed FIRST on, and audit them
rehearse SEEDS="12" FIRST="1":
    cargo build --release --bin levee
    .ci/rehearse {{ SEEDS }} {{ FIRST }}

# drive the twin with boto3 and the AWS CLI, and play our nights on another emulator
conformance *ARGUMENTS:
    cargo build --release --workspace --bins
    tests/conformance/run {{ ARGUMENTS }}

# check the Terraform: format, validity, tests, a policy scanner; and the calls of whole nights against every policy
infra:
    .ci/infra
    infra/tests/least_privilege/run

# play docs/operate.md word for word on an emulator
operate:
    cargo build --release --bin levee
    .ci/operate

# look at the page of the twin in headless Chromium; screenshots in .tools/page
page:
    .ci/page

# look at pages of runs in headless Chromium; screenshots and PDFs in .tools/run-page
run-page:
    .ci/run-page

# check the state machine with a public validator
asl:
    .ci/asl

# licences, advisories and duplicates of the dependencies
deny:
    .ci/deny

# build the image's command as the Dockerfile does, and run it in an empty root as nobody (needs root)
image:
    .ci/image

# the bill of materials of the command, to .tools/sbom
sbom:
    .ci/sbom

# build the fuzz targets, or run TARGET for SECONDS, led by coverage
fuzz TARGET="" SECONDS="60":
    .ci/fuzz "{{ TARGET }}" "{{ SECONDS }}"

# build the sample warehouse again, or only check it (--check)
lake *ARGUMENTS:
    .ci/python lake tests/lake/requirements.txt
    {{ tools }}/lake/bin/python tests/lake/build.py {{ ARGUMENTS }}

# what continuous integration runs
ci:
    .ci/run
