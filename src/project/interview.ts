import { basename } from "node:path";

import { isPythonTruthy } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { BUILD_DOCKER_IMAGE, dockerBuildOf, workingDirectory } from "./default-pull.ts";
import { objectAt } from "./overrides.ts";

import type { WorkPool } from "../api/types.ts";
import type { JsonObject } from "../json/value.ts";
import type { Steps } from "./prefect-file.ts";

/** Asks for what neither the arguments nor the file say. `label` tells which of several deployments is meant. */
export interface DeployQuestions {
  /** `problemOf` reads a flow, and says why that cannot be done. */
  entrypoint(label: string | undefined, problemOf: FlowProblem): Promise<string>;
  name(label: string | undefined): Promise<string>;
  pool(label: string | undefined): Promise<string>;
  /** Is that one, which has no name, to get one? */
  isToBeNamed(label: string): Promise<boolean>;
  /** Does what was agreed upon, such as making a pool: after all questions, before any step. */
  settle(): Promise<void>;
}

/** Why the flow of an entrypoint cannot be deployed; undefined when it can. */
export type FlowProblem = (entrypoint: string) => Promise<string | undefined>;

/** Steps that the answers ask for. */
export interface StepsAnswer {
  readonly build?: Steps;
  readonly push?: Steps;
  readonly pull?: Steps;
}

/** Asks how a single deployment is built, stored and scheduled. */
export interface DeployInterview {
  /** An image of its own? Undefined: none. */
  image(deployment: InterviewedDeployment): Promise<StepsAnswer | undefined>;
  /** Do workers pull the code from a remote place? Undefined: they do not. */
  storage(deployment: InterviewedDeployment): Promise<StepsAnswer | undefined>;
  /** Where the code lies in an image whose Dockerfile is one's own. Rejects when it is not in there. */
  directoryOfDockerfile(suggested: string): Promise<string>;
  /** Where the code lies in an image that is there already. */
  directoryOfImage(suggested: string): Promise<string>;
  /** Schedules as they stand in prefect.yaml; empty for none, which leaves those on the server alone. */
  schedules(): Promise<readonly JsonObject[]>;
  /** Does what was agreed upon, such as saving a token: after all questions, before any step. */
  settle(): Promise<void>;
}

export interface InterviewedDeployment {
  readonly name: string;
  readonly flowName: string;
  readonly workPoolName: string;
}

/** What is known of one deployment's steps before anybody is asked. */
export interface Interviewed extends InterviewedDeployment {
  readonly cwd: string;
  readonly workPool: WorkPool;
  readonly fields: JsonObject;
  readonly build: Steps;
  readonly push: Steps;
  /** Undefined when none are declared. */
  readonly pull: Steps | undefined;
  /** The declaration's own `build` is null or empty. */
  readonly isBuildRefused: boolean;
}

/** What the answers make of it. */
export interface InterviewResult {
  readonly build: Steps;
  readonly push: Steps;
  readonly pull: Steps | undefined;
  /** Whether anything came of the answers that a file could hold. */
  readonly isChanged: boolean;
  /** Workers are not to pull the code from elsewhere: the default steps are the answer. */
  readonly isLocal: boolean;
  /** Lays the answers over the declaration: schedules, and the image among the job variables. */
  layOver(fields: JsonObject): JsonObject;
}

const PUSH_DOCKER_IMAGE = "prefect_docker.deployments.steps.push_docker_image";

/**
 * Asks what `prefect deploy` asks of a single deployment, each question only where nothing is declared (prefect/cli/deploy/_core.py,
 * _actions.py, _schedules.py): a custom image, remote storage, the place of the code in the image, schedules. All of it before any step runs.
 */
export async function conductInterview(
  interview: DeployInterview,
  known: Interviewed,
): Promise<InterviewResult> {
  const { cwd, fields, workPool } = known;
  let { build, push, pull } = known;
  const directory = `/opt/prefect/${basename(cwd)}`;
  const hasImage = isPythonTruthy(objectAt(objectAt(fields, "work_pool"), "job_variables")["image"]);
  let usesBuiltImage = false;
  let isLocal = false;
  if (!known.isBuildRefused && dockerBuildOf(build) === undefined && takesImage(workPool)) {
    const answer = await interview.image(known);
    if (answer?.build !== undefined) build = [...build, ...answer.build];
    if (answer?.push !== undefined) push = [...push, ...answer.push];
    usesBuiltImage = answer !== undefined && !hasImage;
  }
  if (pull === undefined && !push.some((step) => Object.hasOwn(step, PUSH_DOCKER_IMAGE))) {
    const answer = await interview.storage(known);
    if (answer?.push !== undefined) push = [...push, ...answer.push];
    pull = answer?.pull ?? pull;
    isLocal = pull === undefined;
  }
  if (pull === undefined) {
    const docker = dockerBuildOf(build);
    if (docker !== undefined && docker["dockerfile"] !== "auto") {
      pull = [workingDirectory(await interview.directoryOfDockerfile(directory))];
    } else if (docker === undefined && hasImage) {
      pull = [workingDirectory(await interview.directoryOfImage(directory))];
    }
  }
  const isScheduleOpen = fields["schedules"] === undefined;
  const schedules = isScheduleOpen ? await interview.schedules() : [];
  return {
    build,
    push,
    pull,
    isLocal: isLocal && pull === undefined,
    isChanged: schedules.length > 0 || build !== known.build || push !== known.push || pull !== known.pull,
    layOver: (declared) => ({
      ...declared,
      // Null: none are declared, and nobody is asked again; those on the server stay, which [] would take away.
      ...(isScheduleOpen ? { schedules: schedules.length === 0 ? null : schedules } : {}),
      ...(usesBuiltImage ? { work_pool: withImage(objectAt(declared, "work_pool")) } : {}),
    }),
  };
}

function withImage(pool: JsonObject): JsonObject {
  return {
    ...pool,
    job_variables: { ...objectAt(pool, "job_variables"), image: "{{ build-image.image }}" },
  };
}

/** Whether runs of the pool take an image of any name. */
function takesImage({ base_job_template: template }: WorkPool): boolean {
  const properties = objectAt(objectAt(template, "variables"), "properties");
  const image = properties["image"];
  return isJsonObject(image) && image["type"] === "string" && !isPythonTruthy(image["enum"]);
}

/** The steps that build an image and, with a registry, push it, as `prefect deploy` writes them. */
export function imageSteps(image: {
  readonly name: string;
  readonly tag: string;
  readonly dockerfile: string;
  readonly isPushed: boolean;
  /** A reference to a block. */
  readonly credentials?: string | undefined;
}): StepsAnswer {
  const { name, tag, dockerfile, isPushed, credentials } = image;
  const requires = "prefect-docker>=0.3.1";
  const build = {
    [BUILD_DOCKER_IMAGE]: { requires, id: "build-image", dockerfile, image_name: name, tag },
  };
  if (!isPushed) return { build: [build] };
  const push = {
    requires,
    image_name: "{{ build-image.image_name }}",
    tag: "{{ build-image.tag }}",
    ...(credentials === undefined ? {} : { credentials }),
  };
  return { build: [build], push: [{ [PUSH_DOCKER_IMAGE]: push }] };
}

/** Kinds of object stores: words of their steps, and the block type of their credentials. */
export const STORES = {
  s3: {
    label: "S3",
    hint: "an AWS S3 bucket",
    package: "prefect_aws",
    place: "bucket",
    block: "aws-credentials",
  },
  gcs: {
    label: "GCS",
    hint: "a Google Cloud Storage bucket",
    package: "prefect_gcp",
    place: "bucket",
    block: "gcp-credentials",
  },
  azure_blob_storage: {
    label: "Azure Blob Storage",
    hint: "an Azure Blob Storage container",
    package: "prefect_azure",
    place: "container",
    block: "azure-blob-storage-credentials",
  },
} as const;

export type StoreName = keyof typeof STORES;

/** The steps that push the code to a store and pull it from there, as `prefect deploy` writes them. */
export function storeSteps(
  store: StoreName,
  place: string,
  folder: string,
  credentials: string | null,
): StepsAnswer {
  const { package: name, place: key } = STORES[store];
  const inputs = { [key]: place, folder, credentials };
  return {
    push: [{ [`${name}.deployments.steps.push_to_${store}`]: inputs }],
    pull: [{ [`${name}.deployments.steps.pull_from_${store}`]: inputs }],
  };
}

/** The pull step of a git repository. */
export function cloneSteps(repository: string, branch: string, token: string | undefined): StepsAnswer {
  const inputs = { repository, branch, ...(token === undefined ? {} : { access_token: token }) };
  return { pull: [{ "prefect.deployments.steps.git_clone": inputs }] };
}

/** A text as part of a block's name: small letters, digits and dashes (prefect/utilities/slugify.py). */
export function slugOf(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[^\x20-\x7e]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
