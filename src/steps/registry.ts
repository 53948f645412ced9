import type { NativeStep } from "./types.ts";

interface Entry {
  readonly names: RegExp;
  readonly load: () => Promise<NativeStep>;
}

// The modules are imported only when a deployment uses the step: S3 alone is some megabytes. The patterns repeat the steps'
// own `names`, which a test compares.
const NATIVE_STEPS: readonly Entry[] = [
  {
    names: /^prefect\.(?:deployments|projects)\.steps\.(?:pull\.)?set_working_directory$/,
    load: async () => (await import("./set-working-directory.ts")).setWorkingDirectory,
  },
  {
    names: /^prefect\.(?:deployments|projects)\.steps\.(?:utility\.)?run_shell_script$/,
    load: async () => (await import("./run-shell-script.ts")).runShellScript,
  },
  {
    names: /^prefect\.(?:deployments|projects)\.steps\.(?:utility\.)?pip_install_requirements$/,
    load: async () => (await import("./pip-install-requirements.ts")).pipInstallRequirements,
  },
  {
    names: /^lighterman\.steps\.python_environment$/,
    load: async () => (await import("./python-environment.ts")).pythonEnvironment,
  },
  {
    names: /^prefect\.(?:deployments|projects)\.steps\.(?:pull\.)?a?git_clone(?:_project)?$/,
    load: async () => (await import("./git-clone.ts")).gitClone,
  },
  {
    names: /^prefect_aws\.(?:deployments|projects)\.steps\.pull_(?:project_)?from_s3$/,
    load: async () => (await import("./pull-from-s3.ts")).pullFromS3,
  },
  {
    names: /^prefect_aws\.(?:deployments|projects)\.steps\.push_(?:project_)?to_s3$/,
    load: async () => (await import("./push-to-s3.ts")).pushToS3,
  },
  {
    names: /^prefect_docker\.(?:deployments|projects)\.steps\.build_docker_image$/,
    load: async () => (await import("./docker/build-docker-image.ts")).buildDockerImage,
  },
  {
    names: /^prefect_docker\.(?:deployments|projects)\.steps\.push_docker_image$/,
    load: async () => (await import("./docker/push-docker-image.ts")).pushDockerImage,
  },
];

/** The step that the worker runs itself under this name; undefined for one that only exists in Python. */
export async function findNativeStep(name: string): Promise<NativeStep | undefined> {
  // `module:function` is another spelling of `module.function`, but `file.py:function` names a file.
  const dotted = name.includes(".py:") ? name : name.replace(":", ".");
  return await NATIVE_STEPS.find(({ names }) => names.test(dotted))?.load();
}

/** The name under which today's Prefect has a step: its `projects` package was renamed in 2.11 (protocol §5.1). */
export function currentName(name: string): string {
  return name.replace(/^prefect\.projects\.steps([.:])/, "prefect.deployments.steps$1");
}
