import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { Service } from "./service.ts";

const BATCH = 1000;

/**
 * Deletes events that are older than a week, in small batches; runs are kept. The newest stays, so that no number is given twice:
 * automations remember by it how far they are.
 */
export const retention: Service = {
  name: "retention",
  intervalSeconds: ({ settings }) => settings.retention.loopSeconds,
  async tick({ database, clock, settings }) {
    const before = addSeconds(timestampOf(clock.now()), -settings.retention.eventsSeconds);
    const deleted = await database.write((tx) =>
      tx.run(
        `DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE occurred < ? AND seq < (SELECT max(seq) FROM event) ORDER BY occurred LIMIT ${BATCH})`,
        before,
      ),
    );
    return deleted === BATCH ? 0 : undefined;
  },
};
