import { WorkerError } from "../errors.ts";
import { DOCKER_HUB } from "./image-reference.ts";

import type { FoundLogin } from "./registry-logins.ts";

interface Circumstances {
  readonly registry: string;
  /** What was logged in with. */
  readonly login?: FoundLogin | undefined;
}

/** What an engine's word about a pull or push means: the message keeps it, the hint says what to do. */
export function transferFailure(
  what: string,
  problem: string,
  { registry, login }: Circumstances,
): WorkerError {
  const { hint, retryable } = explain(problem, registry, login);
  return new WorkerError("IMAGE_UNAVAILABLE", `${what}: ${problem}`, { hint, retryable });
}

function explain(
  problem: string,
  registry: string,
  login: FoundLogin | undefined,
): { readonly hint: string; readonly retryable: boolean } {
  const place = registry === DOCKER_HUB ? "Docker Hub" : `the registry ${registry}`;
  if (/unauthorized|no basic auth|denied|authentication required|incorrect username/i.test(problem)) {
    const hint =
      login === undefined
        ? `There is no login for ${place}: give a docker-registry-credentials block whose registry_url is ${registry}, or run \`docker login${registry === DOCKER_HUB ? "" : ` ${registry}`}\` as this user. A wrong name of the image is answered the same way by some registries.`
        : `The login from ${login.source} was sent to ${place}: check its user, its password, and what that user may do there.`;
    return { hint, retryable: false };
  }
  if (/does not exist locally/i.test(problem)) {
    return {
      hint: "The engine has no such image to push: build it first, or correct its name and tag.",
      retryable: false,
    };
  }
  if (/manifest .*(?:unknown|not found)|not found|name unknown|does not exist/i.test(problem)) {
    return {
      hint: `Check name and tag: ${place} has no such image, or not for this platform.`,
      retryable: false,
    };
  }
  if (/no space left/i.test(problem)) {
    return {
      hint: "The engine's disk is full: `docker system df` shows what takes the space.",
      retryable: false,
    };
  }
  if (/toomanyrequests|too many requests|rate limit/i.test(problem)) {
    return {
      hint: `${place} limits pulls: log in, pull less often (IfNotPresent), or use a mirror.`,
      retryable: true,
    };
  }
  if (/server gave HTTP response to HTTPS client|certificate|x509/i.test(problem)) {
    return {
      hint: `The engine does not trust ${place}: give it the certificate in /etc/docker/certs.d/${registry}/ca.crt, or name the registry in insecure-registries of its daemon.json.`,
      retryable: false,
    };
  }
  return {
    hint: `It is the engine that talks to ${place}: see whether its machine reaches it. With the pull policy IfNotPresent or IfPossible an image that the engine has already is used.`,
    retryable: true,
  };
}

/** What an engine's word about a build means. */
export function buildFailure(what: string, problem: string): WorkerError {
  const hint = /denied|unauthorized|no basic auth/i.test(problem)
    ? "The base image may need a login (`docker login` as this user), or its name is wrong."
    : /dockerfile/i.test(problem)
      ? "Correct the step's `dockerfile`; it counts from the build context (`path`, by default the current directory)."
      : /manifest|not found|pull|dial tcp|lookup|registry/i.test(problem)
        ? "The base image (FROM) could not be pulled; `pull: false` in the step lets the engine's own be used."
        : undefined;
  return new WorkerError("IMAGE_UNAVAILABLE", `${what}: ${problem}`, hint === undefined ? {} : { hint });
}
