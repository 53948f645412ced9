import { releaseLease } from "../concurrency/leases.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { Service } from "./service.ts";

/** Gives the slots of leases back whose holders have stopped renewing them (prefect/server/services/repossessor.py). */
export const leases: Service = {
  name: "leases",
  intervalSeconds: ({ settings }) => settings.leases.loopSeconds,
  async tick({ database, clock }) {
    const expired = database.all<{ id: string }>(
      "SELECT id FROM concurrency_lease WHERE expiration < ?",
      timestampOf(clock.now()),
    );
    if (expired.length === 0) return;
    await database.write((tx) => {
      for (const { id } of expired) releaseLease(tx, id);
    });
  },
};
