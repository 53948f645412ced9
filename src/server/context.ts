import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { AutomationChanges } from "./automations/automations.ts";
import type { Channel } from "./events/channel.ts";
import type { ServerEvent } from "./events/event.ts";
import type { SchemaTools } from "./schema-tools/tools.ts";
import type { SecretBox } from "./store/secret-box.ts";
import type { Database } from "./store/database.ts";
import type { ServerSettings } from "./settings.ts";

/** A log line as it was stored, in the form of the API. */
export interface StoredLog {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly level: number;
  readonly message: string;
  readonly timestamp: string;
  readonly flow_run_id: string | null;
  readonly task_run_id: string | null;
}

/** What every part of the server is handed. */
export interface ServerContext {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ServerSettings;
  /** Encrypts the secrets of blocks. */
  readonly secretBox: SecretBox;
  /** Every event, once it is committed. */
  readonly events: Channel<ServerEvent>;
  /** Every log line, once it is committed. */
  readonly logs: Channel<StoredLog>;
  /** Checks parameters and job variables. */
  readonly schemaTools: () => Promise<SchemaTools>;
  /** To be told of changes of automations. */
  readonly automations: AutomationChanges;
}
