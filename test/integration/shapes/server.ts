import type { Call } from "./call.ts";

/** What concerns the server as a whole. */
export const SERVER: readonly Call[] = [
  { request: "GET /health" },
  { request: "GET /ready" },
  { request: "GET /hello" },
  { request: "GET /version" },
  { request: "GET /admin/version" },
  { request: "GET /admin/version", headers: { "x-prefect-api-version": "0.8.4" } },
  { request: "GET /admin/version", headers: { "x-prefect-api-version": "nonsense" } },
  { request: "GET /admin/version", headers: { "x-prefect-api-version": "0.1.0" } },
  { request: "GET /csrf-token?client=00000000-0000-4000-8000-000000000000" },
  { request: "GET /csrf-token" },
  { request: "GET /admin/storage" },
  { request: "GET /health", headers: { authorization: "" } },
  { request: "GET /ready", headers: { authorization: "" } },
  { request: "GET /hello", headers: { authorization: "" } },
  { request: "GET /admin/version", headers: { authorization: "Bearer x" } },
  { request: "GET /admin/version", headers: { authorization: "Basic d3Jvbmc6d3Jvbmc=" } },
  { request: "GET /no/such/path", headers: { authorization: "" } },
  { request: "POST /flows/", body: { name: "x" }, headers: { authorization: "Basic nonsense" } },
  {
    request: "GET /collections/views/aggregate-worker-metadata",
    isPartial: "Only the worker types that Lighterman serves.",
    differs: {
      "prefect.process.description": "Our own words.",
      "prefect.process.documentation_url": "The front page.",
      "prefect.process.logo_url": "None.",
      "prefect.process.default_base_job_configuration.variables":
        "That of the installed Prefect; the registry's is older.",
      "prefect-docker.docker.description": "Our own words.",
      "prefect-docker.docker.documentation_url": "The front page.",
      "prefect-docker.docker.logo_url": "None.",
      "prefect-docker.docker.default_base_job_configuration.job_configuration":
        "That of prefect-docker 0.7.4; the registry's is older.",
      "prefect-docker.docker.default_base_job_configuration.variables":
        "Our own words, and the variable pull.",
    },
  },
  {
    request: "GET /admin/settings",
    isPartial: "The settings that there are here.",
  },
  { request: "GET /collections/views/nothing" },
];
