import { own, prefect } from "./setting.ts";
import { boolean, filePath, integer, text } from "./value-types.ts";

/** The embedded server (prefect/settings/models/server/api.py for Prefect's own). */
export const SERVER_SETTINGS = {
  "server.api.host": prefect({
    type: text,
    default: "127.0.0.1",
    doc: "Address that the embedded server listens on.",
    example: "0.0.0.0",
    flag: { name: "host", metavar: "ADDRESS", scope: "server" },
  }),
  "server.api.port": prefect({
    type: integer({ min: 0, max: 65_535 }),
    default: "4200",
    doc: "Port of the embedded server; 0 takes a free one.",
    example: "4201",
    flag: { name: "port", metavar: "PORT", scope: "server" },
  }),
  "server.api.auth_string": prefect({
    type: text,
    doc: "USER:PASSWORD that the embedded server demands of its clients (their PREFECT_API_AUTH_STRING).",
    example: "admin:a-long-password",
    secret: true,
  }),
  "server.data": own({
    type: filePath,
    defaultDoc: "server in data_dir",
    doc: "Directory of the embedded server's database and key.",
    example: "/var/lib/lighterman/server",
    flag: { name: "data", metavar: "DIR", scope: "server" },
  }),
  "server.missed_heartbeats": own({
    type: integer({ min: 0 }),
    default: "3",
    doc: "How many heartbeats in a row a running flow run may miss before the embedded server takes it for crashed; 0 for any number.",
    example: "5",
  }),
  "server.insecure": own({
    type: boolean,
    default: "false",
    doc: "Let the embedded server listen beyond this machine without server.api.auth_string.",
    example: "true",
    flag: { name: "insecure", scope: "server" },
  }),
};
