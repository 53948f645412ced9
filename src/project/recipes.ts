import type { JsonObject } from "../json/value.ts";

/** A way to store a project's code, as `init` writes it. Placeholders are filled with the fields that are known. */
export interface Recipe {
  readonly name: string;
  readonly description: string;
  /** Fields that have to be given, and what they are. */
  readonly required: Readonly<Record<string, string>>;
  readonly build: readonly JsonObject[] | null;
  readonly push: readonly JsonObject[] | null;
  readonly pull: readonly JsonObject[];
  readonly jobVariables: JsonObject;
}

const IMAGE_FIELDS = {
  image_name: "name of the image to build, with its registry: registry.example/team/app",
  tag: "tag of the image to build",
};
const BUCKET_FIELDS = { bucket: "bucket that the code is stored in" };
const CONTAINER_FIELDS = { container: "container that the code is stored in" };
const DOCKER = "prefect-docker>=0.3.1";

const buildImage: JsonObject = {
  "prefect_docker.deployments.steps.build_docker_image": {
    id: "build_image",
    requires: DOCKER,
    image_name: "{{ image_name }}",
    tag: "{{ tag }}",
    dockerfile: "{{ dockerfile }}",
  },
};

function pushImage(more: JsonObject = {}): JsonObject {
  return {
    "prefect_docker.deployments.steps.push_docker_image": {
      requires: DOCKER,
      image_name: "{{ build_image.image_name }}",
      tag: "{{ build_image.tag }}",
      ...more,
    },
  };
}

/** Push and pull steps of an object store. */
function storage(
  packageName: string,
  requires: string,
  [push, pull]: readonly [string, string],
  place: string,
): {
  readonly push: JsonObject;
  readonly pull: JsonObject;
} {
  const steps = `${packageName}.deployments.steps`;
  return {
    push: {
      [`${steps}.${push}`]: { id: "push_code", requires, [place]: `{{ ${place} }}`, folder: "{{ name }}" },
    },
    pull: {
      [`${steps}.${pull}`]: {
        id: "pull_code",
        requires,
        [place]: `{{ push_code.${place} }}`,
        folder: "{{ push_code.folder }}",
      },
    },
  };
}

const s3 = storage("prefect_aws", "prefect-aws>=0.3.4", ["push_to_s3", "pull_from_s3"], "bucket");
const gcs = storage("prefect_gcp", "prefect-gcp>=0.4.3", ["push_to_gcs", "pull_from_gcs"], "bucket");
const azure = storage(
  "prefect_azure",
  "prefect-azure[blob_storage]>=0.2.8",
  ["push_to_azure_blob_storage", "pull_from_azure_blob_storage"],
  "container",
);
const clone: JsonObject = {
  "prefect.deployments.steps.git_clone": {
    repository: "{{ repository }}",
    branch: "{{ branch }}",
    access_token: null,
  },
};

function setDirectory(directory: string): JsonObject {
  return { "prefect.deployments.steps.set_working_directory": { directory } };
}

function plain(name: string, description: string, parts: Partial<Recipe> & Pick<Recipe, "pull">): Recipe {
  return { name, description, required: {}, build: null, push: null, jobVariables: {}, ...parts };
}

function docker(name: string, description: string, parts: Partial<Recipe> & Pick<Recipe, "pull">): Recipe {
  return {
    name,
    description,
    build: [buildImage],
    jobVariables: { image: "{{ build_image.image }}" },
    ...parts,
    required: { ...IMAGE_FIELDS, ...parts.required },
    push: parts.push ?? [pushImage()],
  };
}

/** All recipes, with the steps and fields of Prefect's own (prefect/deployments/recipes). */
export const RECIPES: readonly Recipe[] = [
  plain("local", "Code stays in this directory", { pull: [setDirectory("{{ directory }}")] }),
  plain("git", "Code comes from a git repository", { pull: [clone] }),
  plain("s3", "Code is stored in an S3 bucket", {
    required: BUCKET_FIELDS,
    push: [s3.push],
    pull: [s3.pull],
  }),
  plain("gcs", "Code is stored in a bucket of Google Cloud Storage", {
    required: BUCKET_FIELDS,
    push: [gcs.push],
    pull: [gcs.pull],
  }),
  plain("azure", "Code is stored in a container of Azure Blob Storage", {
    required: CONTAINER_FIELDS,
    push: [azure.push],
    pull: [azure.pull],
  }),
  docker("docker", "Code is built into a Docker image", { pull: [setDirectory("/opt/prefect/{{ name }}")] }),
  docker("docker-git", "A Docker image is built, code comes from a git repository", { pull: [clone] }),
  docker("docker-s3", "A Docker image is built, code is stored in an S3 bucket", {
    required: BUCKET_FIELDS,
    push: [pushImage(), s3.push],
    pull: [s3.pull],
  }),
  docker("docker-gcs", "A Docker image is built, code is stored in a bucket of Google Cloud Storage", {
    required: BUCKET_FIELDS,
    push: [pushImage(), gcs.push],
    pull: [gcs.pull],
  }),
  docker("docker-azure", "A Docker image is built, code is stored in a container of Azure Blob Storage", {
    required: CONTAINER_FIELDS,
    push: [pushImage({ credentials: null }), azure.push],
    pull: [azure.pull],
  }),
];
