import type { JsonObject } from "../json/value.ts";

/** The base job template that a docker work pool gets when it is made without one (prefect_docker.worker, 0.7.4). */
export const DOCKER_BASE_JOB_TEMPLATE: JsonObject = {
  job_configuration: {
    command: "{{ command }}",
    env: "{{ env }}",
    labels: "{{ labels }}",
    name: "{{ name }}",
    image: "{{ image }}",
    registry_credentials: "{{ registry_credentials }}",
    image_pull_policy: "{{ image_pull_policy }}",
    networks: "{{ networks }}",
    network_mode: "{{ network_mode }}",
    auto_remove: "{{ auto_remove }}",
    volumes: "{{ volumes }}",
    stream_output: "{{ stream_output }}",
    mem_limit: "{{ mem_limit }}",
    memswap_limit: "{{ memswap_limit }}",
    privileged: "{{ privileged }}",
    container_create_kwargs: "{{ container_create_kwargs }}",
  },
  variables: {
    $defs: {
      DockerRegistryCredentials: {
        additionalProperties: true,
        block_schema_references: {},
        block_type_slug: "docker-registry-credentials",
        description: "User and password of a container registry.",
        properties: {
          username: {
            description: "Who logs in.",
            title: "Username",
            type: "string",
          },
          password: {
            description: "The password or access token that goes with the name.",
            format: "password",
            title: "Password",
            type: "string",
            writeOnly: true,
          },
          registry_url: {
            description: "Host of the registry; a scheme need not be given.",
            examples: ["index.docker.io"],
            title: "Registry Url",
            type: "string",
          },
          reauth: {
            default: true,
            description: "Log in again each time.",
            title: "Reauth",
            type: "boolean",
          },
        },
        required: ["username", "password", "registry_url"],
        secret_fields: ["password"],
        title: "DockerRegistryCredentials",
        type: "object",
      },
    },
    description: "How a docker worker makes the container of a flow run.",
    properties: {
      command: {
        anyOf: [
          {
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "What the container runs. Without it the flow run is executed by Prefect's own command in the image.",
        title: "Command",
      },
      pull: {
        default: "container",
        description:
          "Who pulls the flow's code: the container's command, the worker (which shows its directory to the container; the engine must be on the same machine), or auto: the worker wherever it can. For Lighterman; Prefect's worker ignores it.",
        enum: ["container", "worker", "auto"],
        title: "Pull",
        type: "string",
      },
      env: {
        additionalProperties: {
          anyOf: [
            {
              type: "string",
            },
            {
              type: "null",
            },
          ],
        },
        description: "Variables of the container; null takes one away that the worker would set.",
        title: "Environment Variables",
        type: "object",
      },
      labels: {
        additionalProperties: {
          type: "string",
        },
        description: "Labels of the container, beside those that name its flow run.",
        title: "Labels",
        type: "object",
      },
      name: {
        anyOf: [
          {
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "Name of the container; without it the flow run's. May hold {{ ctx.flow.name }}, {{ ctx.flow_run.id }} and the like.",
        title: "Name",
      },
      image: {
        description: "The image to run. Without it, the newest one of Prefect 3.",
        examples: ["docker.io/prefecthq/prefect:3-latest"],
        title: "Image",
        type: "string",
      },
      registry_credentials: {
        anyOf: [
          {
            $ref: "#/$defs/DockerRegistryCredentials",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "A block with the login for the image's registry, used when the image must be pulled.",
      },
      image_pull_policy: {
        anyOf: [
          {
            enum: ["IfNotPresent", "Always", "IfPossible", "Never"],
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "When the image is pulled. Without a choice: always for the tag latest, else when the engine has none.",
        title: "Image Pull Policy",
      },
      networks: {
        description: "Networks of the engine that the container joins.",
        items: {
          type: "string",
        },
        title: "Networks",
        type: "array",
      },
      network_mode: {
        anyOf: [
          {
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "One of the engine's network modes, such as host or bridge; not together with networks.",
        title: "Network Mode",
      },
      auto_remove: {
        default: false,
        description: "Remove the container after its end has been noted.",
        title: "Auto Remove",
        type: "boolean",
      },
      volumes: {
        description:
          "Mounts as SOURCE:TARGET or SOURCE:TARGET:ro. A source is a volume's name or a path; a relative path counts from the worker's directory.",
        examples: ["/my/local/path:/path/in/container", "./data:/path/in/container"],
        items: {
          type: "string",
        },
        title: "Volumes",
        type: "array",
      },
      stream_output: {
        default: true,
        description: "Show the container's output on the worker's console, too.",
        title: "Stream Output",
        type: "boolean",
      },
      mem_limit: {
        anyOf: [
          {
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "The most memory the container may take: bytes, or a number with b, k, m or g, such as 512m.",
        title: "Memory Limit",
      },
      memswap_limit: {
        anyOf: [
          {
            type: "string",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "Memory and swap together, in the same form; -1 is no limit on swap. Only with a memory limit; without it, twice that.",
        title: "Memory Swap Limit",
      },
      privileged: {
        default: false,
        description: "Run the container with all of the host's privileges. Take care.",
        title: "Privileged",
        type: "boolean",
      },
      container_create_kwargs: {
        anyOf: [
          {
            additionalProperties: true,
            type: "object",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "Further arguments of the container, named as those of docker-py's containers.create().",
        title: "Container Configuration",
      },
    },
    type: "object",
  },
};
