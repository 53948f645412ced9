import { own, prefect } from "./setting.ts";
import {
  boolean,
  duration,
  filePath,
  headers,
  integer,
  number,
  seconds,
  statusCodes,
  text,
  url,
} from "./value-types.ts";

/** How to reach the Prefect API (prefect/settings/models/api.py, client.py, cloud.py). */
export const API_SETTINGS = {
  "api.url": prefect({
    type: url,
    doc: "Root of the Prefect API, such as http://127.0.0.1:4200/api, or the workspace's URL of Prefect Cloud.",
    example: "http://prefect.example:4200/api",
    flag: { name: "api-url", metavar: "URL", scope: "all" },
  }),
  "api.key": prefect({
    type: text,
    doc: "API key of Prefect Cloud (bearer token).",
    example: "pnu_0123456789",
    secret: true,
  }),
  "api.auth_string": prefect({
    type: text,
    doc: "USER:PASSWORD of a self-hosted server with basic authentication; used instead of the key.",
    example: "admin:secret",
    secret: true,
  }),
  "api.tls_insecure_skip_verify": prefect({
    type: boolean,
    default: "false",
    doc: "Accept any TLS certificate of the API.",
    example: "true",
  }),
  "api.ssl_cert_file": prefect({
    type: filePath,
    defaultDoc: "the environment variable SSL_CERT_FILE, else Node's own list",
    doc: "File of the certificate authorities (PEM) that the API's certificate is checked against.",
    example: "/etc/ssl/certs/company.pem",
  }),
  "api.request_timeout": prefect({
    type: seconds({ above: 0 }),
    default: "60",
    doc: "Seconds that each phase of an API call (connect, headers, body) may take.",
    example: "20",
  }),
  "api.deadline": own({
    type: duration({ above: 0 }),
    defaultDoc: "the same as api.request_timeout",
    doc: "Longest time for one API call as a whole: connect, headers and body together.",
    example: "45s",
  }),
  "client.custom_headers": prefect({
    type: headers,
    default: "{}",
    doc: "Headers to add to every API call, as a JSON object.",
    example: '{"X-Team": "data"}',
    secret: true,
  }),
  "client.csrf_support_enabled": prefect({
    type: boolean,
    default: "true",
    doc: "Ask a self-hosted server for a CSRF token and send it with every change.",
    example: "false",
  }),
  "client.max_retries": prefect({
    type: integer({ min: 0 }),
    default: "5",
    doc: "How often a failed API call is tried again.",
    example: "8",
  }),
  "client.retry_jitter_factor": prefect({
    type: number({ min: 0 }),
    default: "0.2",
    doc: "Fraction by which the wait before a retry varies.",
    example: "0.5",
  }),
  "client.retry_extra_codes": prefect({
    type: statusCodes,
    default: "",
    doc: "HTTP status codes that are retried besides 408, 429, 502 and 503.",
    example: "[500, 504]",
  }),
  "client.server_version_check_enabled": prefect({
    type: boolean,
    default: "true",
    doc: "Ask the server for its version at the start.",
    example: "false",
  }),
  "cloud.api_url": prefect({
    type: url,
    default: "https://api.prefect.cloud/api",
    doc: "API URLs that begin with this belong to Prefect Cloud.",
    example: "https://api.eu.prefect.cloud/api",
  }),
  "cloud.max_log_size": prefect({
    type: integer({ min: 1 }),
    default: "25000",
    doc: "Prefect Cloud's cap for logging.to_api.max_log_size.",
    example: "20000",
  }),
};
