import { findEngine } from "../../docker/engine-address.ts";
import { DockerEngine } from "../../docker/engine.ts";

/** Runs `use` with a client of the engine that the environment names; closes it. */
export async function withEngine<T>(
  env: Readonly<Record<string, string>>,
  use: (engine: DockerEngine) => Promise<T>,
): Promise<T> {
  const engine = new DockerEngine({ address: findEngine(env) });
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}
