/** Names the attempt that a container runs; whatever bears it was made by a worker of this kind. */
export const ATTEMPT_LABEL = "io.lighterman.attempt";

/** "true" on a container that shall not outlive its run: the worker removes it, not the engine, which would do so too early. */
export const AUTO_REMOVE_LABEL = "io.lighterman.auto-remove";

/**
 * Labels as Docker likes them: `prefect.io/flow-run-id` becomes `io.prefect.flow-run-id`
 * (prefect_docker/worker.py: _convert_labels_to_docker_format).
 */
export function dockerLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => {
      const slash = name.indexOf("/");
      if (slash === -1) return [name, value];
      const namespace = name.slice(0, slash).split(".").toReversed().join(".");
      return [`${namespace}.${name.slice(slash + 1)}`, value];
    }),
  );
}
