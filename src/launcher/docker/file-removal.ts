import {
  createContainer,
  removeContainer,
  startContainer,
  waitForContainer,
} from "../../docker/containers.ts";
import { ATTEMPT_LABEL } from "./container-labels.ts";

import type { DockerEngine } from "../../docker/engine.ts";
import type { Rubbish } from "../types.ts";

/**
 * Removes what is in the directories as root of a short-lived container of an image that is there, which sees nothing else and has no
 * network. Its exit status says nothing: the directories themselves are where it cannot remove them. Rejects when it cannot be run.
 */
export async function removeFiles(
  engine: DockerEngine,
  { directories, image }: Rubbish,
  signal: AbortSignal,
): Promise<void> {
  const places = directories.map((directory, at) => ({ directory, there: `/lighterman/rubbish/${at}` }));
  const body = {
    Image: image,
    Entrypoint: [],
    Cmd: ["rm", "-rf", ...places.map(({ there }) => there)],
    User: "0:0",
    WorkingDir: "/",
    Healthcheck: { Test: ["NONE"] },
    // Should this worker be killed meanwhile, housekeeping finds the container by it.
    Labels: { [ATTEMPT_LABEL]: "removal" },
    HostConfig: {
      Binds: places.map(({ directory, there }) => `${directory}:${there}`),
      NetworkMode: "none",
      CapDrop: ["ALL"],
      CapAdd: ["DAC_OVERRIDE", "FOWNER"],
      SecurityOpt: ["no-new-privileges"],
    },
  };
  const { id } = await createContainer(engine, { body }, signal);
  try {
    await startContainer(engine, id, signal);
    await waitForContainer(engine, id, signal);
  } finally {
    await removeContainer(engine, id, { force: true });
  }
}
