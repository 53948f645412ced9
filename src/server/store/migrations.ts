/** One step of the schema; never changed once released, only followed by another. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

// Ids are lower-case UUIDs; times are texts of fixed width (see timestamp.ts), so that they sort as they are;
// columns that hold JSON hold its text, as it goes out to the clients.
const TABLES = `
CREATE TABLE flow (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL UNIQUE,
  tags TEXT NOT NULL DEFAULT '[]', labels TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE work_pool (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL UNIQUE, description TEXT, type TEXT NOT NULL,
  base_job_template TEXT NOT NULL DEFAULT '{}', is_paused INTEGER NOT NULL DEFAULT 0, concurrency_limit INTEGER,
  default_queue_id TEXT, status TEXT NOT NULL DEFAULT 'NOT_READY', last_transitioned_status_at TEXT, last_status_event_id TEXT,
  storage_configuration TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE work_queue (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
  filter TEXT, is_paused INTEGER NOT NULL DEFAULT 0, concurrency_limit INTEGER, priority INTEGER NOT NULL DEFAULT 1,
  last_polled TEXT, status TEXT NOT NULL DEFAULT 'NOT_READY',
  work_pool_id TEXT NOT NULL REFERENCES work_pool ON DELETE CASCADE, UNIQUE (work_pool_id, name)
) STRICT;

CREATE TABLE worker (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL,
  last_heartbeat_time TEXT, heartbeat_interval_seconds INTEGER, status TEXT NOT NULL DEFAULT 'OFFLINE',
  work_pool_id TEXT NOT NULL REFERENCES work_pool ON DELETE CASCADE, UNIQUE (work_pool_id, name)
) STRICT;

CREATE TABLE concurrency_limit_v2 (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL DEFAULT 1,
  "limit" INTEGER NOT NULL, active_slots INTEGER NOT NULL DEFAULT 0, denied_slots INTEGER NOT NULL DEFAULT 0,
  slot_decay_per_second REAL NOT NULL DEFAULT 0, avg_slot_occupancy_seconds REAL NOT NULL DEFAULT 2,
  decayed_at TEXT
) STRICT;

CREATE TABLE concurrency_lease (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, expiration TEXT NOT NULL, resource_ids TEXT NOT NULL, metadata TEXT
) STRICT;
CREATE INDEX concurrency_lease_expiration ON concurrency_lease (expiration);

CREATE TABLE deployment (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL, flow_id TEXT NOT NULL REFERENCES flow ON DELETE CASCADE,
  version TEXT, version_id TEXT, version_info TEXT, description TEXT, paused INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]', labels TEXT NOT NULL DEFAULT '{}',
  parameters TEXT NOT NULL DEFAULT '{}', parameter_openapi_schema TEXT, enforce_parameter_schema INTEGER NOT NULL DEFAULT 1,
  job_variables TEXT NOT NULL DEFAULT '{}', pull_steps TEXT, path TEXT, entrypoint TEXT, storage_document_id TEXT, infrastructure_document_id TEXT,
  work_queue_id TEXT REFERENCES work_queue ON DELETE SET NULL, work_queue_name TEXT, last_polled TEXT, status TEXT NOT NULL DEFAULT 'NOT_READY',
  concurrency_limit_id TEXT REFERENCES concurrency_limit_v2 ON DELETE SET NULL, concurrency_options TEXT, created_by TEXT, updated_by TEXT,
  UNIQUE (flow_id, name)
) STRICT;
CREATE INDEX deployment_queue ON deployment (work_queue_id);

CREATE TABLE deployment_schedule (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, deployment_id TEXT NOT NULL REFERENCES deployment ON DELETE CASCADE,
  schedule TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1, max_scheduled_runs INTEGER, parameters TEXT NOT NULL DEFAULT '{}', slug TEXT,
  UNIQUE (deployment_id, slug)
) STRICT;

CREATE TABLE flow_run (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL,
  flow_id TEXT NOT NULL REFERENCES flow ON DELETE CASCADE, deployment_id TEXT, deployment_version TEXT,
  work_queue_id TEXT, work_queue_name TEXT, flow_version TEXT, idempotency_key TEXT,
  parameters TEXT NOT NULL DEFAULT '{}', context TEXT NOT NULL DEFAULT '{}', empirical_policy TEXT NOT NULL DEFAULT '{}', tags TEXT NOT NULL DEFAULT '[]',
  labels TEXT NOT NULL DEFAULT '{}', job_variables TEXT, parent_task_run_id TEXT, auto_scheduled INTEGER NOT NULL DEFAULT 0,
  infrastructure_document_id TEXT, infrastructure_pid TEXT, created_by TEXT,
  state_id TEXT, state_type TEXT, state_name TEXT, state_timestamp TEXT,
  retry_type TEXT, run_count INTEGER NOT NULL DEFAULT 0, expected_start_time TEXT, next_scheduled_start_time TEXT, start_time TEXT, end_time TEXT,
  total_run_time REAL NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX flow_run_idempotency ON flow_run (flow_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX flow_run_due ON flow_run (work_queue_id, next_scheduled_start_time) WHERE state_type = 'SCHEDULED';
CREATE INDEX flow_run_scheduled ON flow_run (next_scheduled_start_time) WHERE state_type = 'SCHEDULED';
CREATE INDEX flow_run_busy ON flow_run (work_queue_id) WHERE state_type IN ('PENDING', 'RUNNING');
CREATE INDEX flow_run_open ON flow_run (state_type, state_timestamp) WHERE state_type NOT IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED');
CREATE INDEX flow_run_auto ON flow_run (deployment_id, next_scheduled_start_time) WHERE auto_scheduled = 1 AND state_type = 'SCHEDULED';
CREATE INDEX flow_run_deployment ON flow_run (deployment_id, expected_start_time);
CREATE INDEX flow_run_flow ON flow_run (flow_id, expected_start_time);
CREATE INDEX flow_run_expected ON flow_run (expected_start_time);
CREATE INDEX flow_run_state_type ON flow_run (state_type, expected_start_time);
CREATE INDEX flow_run_parent ON flow_run (parent_task_run_id) WHERE parent_task_run_id IS NOT NULL;

CREATE TABLE flow_run_state (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, flow_run_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
  timestamp TEXT NOT NULL, message TEXT, state_details TEXT NOT NULL DEFAULT '{}', data TEXT
) STRICT;
CREATE INDEX flow_run_state_run ON flow_run_state (flow_run_id, seq);
CREATE TRIGGER flow_run_gone AFTER DELETE ON flow_run BEGIN
  DELETE FROM flow_run_state WHERE flow_run_id = OLD.id;
  DELETE FROM flow_run_input WHERE flow_run_id = OLD.id;
  DELETE FROM log WHERE flow_run_id = OLD.id;
  DELETE FROM task_run WHERE flow_run_id = OLD.id;
END;

CREATE TABLE flow_run_input (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, flow_run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, sender TEXT,
  UNIQUE (flow_run_id, key)
) STRICT;

CREATE TABLE task_run (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL, flow_run_id TEXT,
  task_key TEXT NOT NULL, dynamic_key TEXT NOT NULL, cache_key TEXT, cache_expiration TEXT, task_version TEXT,
  empirical_policy TEXT NOT NULL DEFAULT '{}', tags TEXT NOT NULL DEFAULT '[]', labels TEXT NOT NULL DEFAULT '{}', task_inputs TEXT NOT NULL DEFAULT '{}',
  state_id TEXT, state_type TEXT, state_name TEXT, state_timestamp TEXT,
  run_count INTEGER NOT NULL DEFAULT 0, flow_run_run_count INTEGER NOT NULL DEFAULT 0, expected_start_time TEXT, next_scheduled_start_time TEXT,
  start_time TEXT, end_time TEXT, total_run_time REAL NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX task_run_key ON task_run (flow_run_id, task_key, dynamic_key) WHERE flow_run_id IS NOT NULL;
CREATE INDEX task_run_expected ON task_run (expected_start_time);

CREATE TABLE task_run_state (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, task_run_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
  timestamp TEXT NOT NULL, message TEXT, state_details TEXT NOT NULL DEFAULT '{}', data TEXT
) STRICT;
CREATE INDEX task_run_state_run ON task_run_state (task_run_id, seq);
CREATE TRIGGER task_run_gone AFTER DELETE ON task_run BEGIN
  DELETE FROM task_run_state WHERE task_run_id = OLD.id;
END;

CREATE TABLE log (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, created TEXT NOT NULL, name TEXT NOT NULL, level INTEGER NOT NULL, flow_run_id TEXT, task_run_id TEXT,
  message TEXT NOT NULL, timestamp TEXT NOT NULL
) STRICT;
CREATE INDEX log_flow_run ON log (flow_run_id, timestamp) WHERE flow_run_id IS NOT NULL;
CREATE INDEX log_task_run ON log (task_run_id, timestamp) WHERE task_run_id IS NOT NULL;

CREATE TABLE event (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, occurred TEXT NOT NULL, received TEXT NOT NULL, event TEXT NOT NULL, resource_id TEXT NOT NULL,
  resource TEXT NOT NULL, related TEXT NOT NULL, payload TEXT NOT NULL, follows TEXT
) STRICT;
CREATE INDEX event_occurred ON event (occurred);
CREATE INDEX event_resource ON event (resource_id, occurred);

CREATE TABLE block_type (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, logo_url TEXT, documentation_url TEXT,
  description TEXT, code_example TEXT, is_protected INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE block_schema (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, checksum TEXT NOT NULL, fields TEXT NOT NULL, capabilities TEXT NOT NULL DEFAULT '[]',
  version TEXT NOT NULL DEFAULT 'non-versioned', block_type_id TEXT NOT NULL REFERENCES block_type ON DELETE CASCADE,
  UNIQUE (checksum, version)
) STRICT;

CREATE TABLE block_schema_reference (
  id TEXT PRIMARY KEY, name TEXT NOT NULL,
  parent_block_schema_id TEXT NOT NULL REFERENCES block_schema ON DELETE CASCADE, reference_block_schema_id TEXT NOT NULL REFERENCES block_schema ON DELETE CASCADE,
  UNIQUE (parent_block_schema_id, reference_block_schema_id, name)
) STRICT;

CREATE TABLE block_document (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT, data TEXT NOT NULL, is_anonymous INTEGER NOT NULL DEFAULT 0,
  block_schema_id TEXT NOT NULL REFERENCES block_schema ON DELETE CASCADE, block_type_id TEXT NOT NULL REFERENCES block_type ON DELETE CASCADE, block_type_name TEXT,
  UNIQUE (block_type_id, name)
) STRICT;

CREATE TABLE block_document_reference (
  id TEXT PRIMARY KEY, name TEXT NOT NULL,
  parent_block_document_id TEXT NOT NULL REFERENCES block_document ON DELETE CASCADE,
  reference_block_document_id TEXT NOT NULL REFERENCES block_document ON DELETE CASCADE,
  UNIQUE (parent_block_document_id, name)
) STRICT;

CREATE TABLE variable (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE concurrency_limit (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, tag TEXT NOT NULL UNIQUE, concurrency_limit INTEGER NOT NULL, active_slots TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE artifact (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, updated TEXT NOT NULL, key TEXT, type TEXT, description TEXT, data TEXT, metadata_ TEXT,
  flow_run_id TEXT, task_run_id TEXT
) STRICT;
CREATE INDEX artifact_key ON artifact (key, seq) WHERE key IS NOT NULL;
CREATE INDEX artifact_flow_run ON artifact (flow_run_id) WHERE flow_run_id IS NOT NULL;

CREATE TABLE automation (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', enabled INTEGER NOT NULL DEFAULT 1,
  tags TEXT NOT NULL DEFAULT '[]', trigger TEXT NOT NULL, actions TEXT NOT NULL, actions_on_trigger TEXT NOT NULL DEFAULT '[]', actions_on_resolve TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE automation_owner (
  automation_id TEXT NOT NULL REFERENCES automation ON DELETE CASCADE, resource_id TEXT NOT NULL, owner INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (automation_id, resource_id)
) STRICT;

CREATE TABLE automation_bucket (
  id TEXT PRIMARY KEY, automation_id TEXT NOT NULL REFERENCES automation ON DELETE CASCADE, trigger_id TEXT NOT NULL, bucketing_key TEXT NOT NULL,
  start TEXT NOT NULL, end TEXT NOT NULL, count INTEGER NOT NULL DEFAULT 0, last_event TEXT, triggered_at TEXT, last_operation TEXT,
  UNIQUE (automation_id, trigger_id, bucketing_key)
) STRICT;
CREATE INDEX automation_bucket_end ON automation_bucket (end);

CREATE TABLE configuration (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

// What automations have in hand. An action that is to be done stands in automation_action until it is done.
const AUTOMATIONS = `
CREATE TABLE automation_action (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, automation TEXT NOT NULL, action TEXT NOT NULL, action_index INTEGER NOT NULL,
  triggered TEXT NOT NULL, triggering_labels TEXT NOT NULL, triggering_event TEXT, firing TEXT NOT NULL, triggered_event_id TEXT NOT NULL
) STRICT;

CREATE TABLE automation_child_firing (
  automation_id TEXT NOT NULL REFERENCES automation ON DELETE CASCADE, parent_trigger_id TEXT NOT NULL, child_trigger_id TEXT NOT NULL,
  fired_at TEXT NOT NULL, firing TEXT NOT NULL, PRIMARY KEY (automation_id, parent_trigger_id, child_trigger_id)
) STRICT;

CREATE TABLE automation_follower (
  event_id TEXT PRIMARY KEY, leader_id TEXT NOT NULL, received TEXT NOT NULL
) STRICT;
`;

const SAVED_SEARCHES = `
CREATE TABLE saved_search (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, name TEXT NOT NULL UNIQUE, filters TEXT NOT NULL DEFAULT '[]'
) STRICT;
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: TABLES },
  { version: 3, sql: SAVED_SEARCHES },
  { version: 4, sql: AUTOMATIONS },
];
