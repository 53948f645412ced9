# The tests' deployments name this file as their entrypoint; prefect/engine.py stands in for the engine and never loads it.
