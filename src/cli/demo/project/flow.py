"""Counts the lines of this repository's files: two tasks, one flow."""

from pathlib import Path

from prefect import flow, task


@task
def find_files(pattern):
    found = sorted(path.name for path in Path(__file__).parent.glob(pattern) if path.is_file())
    print(f"Found {len(found)} files: {', '.join(found)}")
    return found


@task(retries=2)
def count_lines(names):
    counts = {name: len(Path(__file__).with_name(name).read_text().splitlines()) for name in names}
    for name, count in counts.items():
        print(f"{count:5} {name}")
    return counts


@flow(log_prints=True)
def inspect_repository(pattern: str = "*"):
    counts = count_lines(find_files(pattern))
    print(f"{sum(counts.values())} lines in {len(counts)} files")
    return counts
