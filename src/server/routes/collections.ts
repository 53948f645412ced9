import { PROCESS_BASE_JOB_TEMPLATE } from "../../templating/default-job-template.ts";
import { DOCKER_BASE_JOB_TEMPLATE } from "../../templating/docker-job-template.ts";
import { ApiError } from "../http/errors.ts";

import type { FastifyInstance } from "fastify";

/** Views of Prefect's registry of packages: other servers fetch them from the internet, or have a copy of them. */
const VIEWS: ReadonlySet<string> = new Set([
  "aggregate-block-metadata",
  "aggregate-flow-metadata",
  "aggregate-worker-metadata",
  "demo-flows",
]);

/** The worker types that Lighterman's worker serves. `prefect work-pool create --type …` looks here for a template. */
const WORKER_TYPES = {
  prefect: {
    process: {
      type: "process",
      display_name: "Process",
      description: "Runs each flow run as a process on the worker's machine.",
      default_base_job_configuration: PROCESS_BASE_JOB_TEMPLATE,
      install_command: "pip install prefect",
      documentation_url: "https://docs.prefect.io/",
      logo_url: "",
      is_beta: false,
    },
  },
  "prefect-docker": {
    docker: {
      type: "docker",
      display_name: "Docker",
      description: "Runs each flow run in a container of the Docker engine that the worker reaches.",
      default_base_job_configuration: DOCKER_BASE_JOB_TEMPLATE,
      install_command: "pip install prefect-docker",
      documentation_url: "https://docs.prefect.io/",
      logo_url: "",
      is_beta: false,
    },
  },
};

/** Views of the package registry (prefect/server/api/collections.py): the worker types only, and of them `process` and `docker`. */
export function addCollectionRoutes(app: FastifyInstance): void {
  app.get<{ Params: { view: string } }>("/collections/views/:view", ({ params: { view } }) => {
    if (view === "aggregate-worker-metadata") return WORKER_TYPES;
    if (VIEWS.has(view)) throw new ApiError(404, `Requested content missing for view ${view}`);
    throw new ApiError(404, `View ${view} not found in registry`);
  });
}
