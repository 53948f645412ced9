import { access } from "node:fs/promises";

/** False also for a path that is not for us to see. */
export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
