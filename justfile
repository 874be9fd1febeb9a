# Shortcuts; every recipe is also a plain command, so that `just` is a convenience and no requirement.

set shell := ["bash", "-euo", "pipefail", "-c"]

# list the recipes
default:
    @just --list

# make .venv and fetch all that is needed (also the tools of developers)
setup:
    scripts/setup --dev

# lint, types, spelling
check:
    scripts/test --checks

# everything that CI runs; arguments go to pytest
test *ARGS:
    scripts/test {{ARGS}}

# measure the pure steps, then the whole pipeline beside Faust as documented (some minutes, one core a worker)
bench *ARGS:
    scripts/setup --dev
    .venv/bin/python -m bench.step
    .venv/bin/python -m bench.pipeline {{ARGS}}

# the whole system in under two minutes
demo *ARGS:
    scripts/demo {{ARGS}}

# resolve the locks anew after a change of pyproject.toml (needs uv and the network)
lock *ARGS:
    uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --custom-compile-command "just lock" -o requirements/run.lock {{ARGS}}
    uv pip compile pyproject.toml --group build --group dev -c requirements/run.lock --universal \
        --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "just lock" \
        -o requirements/dev.lock {{ARGS}}
