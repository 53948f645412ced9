import { isPythonTruthy } from "../json/python.ts";
import { StepError } from "./errors.ts";
import { cloneName, parseGitAddress } from "./git-address.ts";
import { StepInputs } from "./step-inputs.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { GitAddress } from "./git-address.ts";
import type { GitRevision } from "./git-checkout.ts";
import type { StepLog } from "./types.ts";

const INPUTS = [
  "repository",
  "branch",
  "commit_sha",
  "include_submodules",
  "access_token",
  "credentials",
  "directories",
  "clone_directory_name",
];

export interface GitCloneInputs {
  readonly address: GitAddress;
  readonly revision: GitRevision;
  readonly accessToken: string | null;
  readonly credentials: Json;
  /** Of the directory to make; empty for the current one. */
  readonly name: string;
}

/** The checks of Prefect, and those that keep git from taking an input for an option. */
export function readGitCloneInputs(inputs: JsonObject, log: StepLog): GitCloneInputs {
  const given = new StepInputs("git_clone", inputs, INPUTS);
  const text = (name: string): string | null => given.optionalText(name) || null;
  const repository = given.text("repository");
  const branch = text("branch");
  const commitSha = text("commit_sha");
  const accessToken = text("access_token");
  const credentials = inputs["credentials"] ?? null;
  if (accessToken !== null && isPythonTruthy(credentials)) {
    throw new StepError("git_clone takes an access token or credentials, not both", {
      hint: "Leave `access_token` or `credentials` away.",
    });
  }
  if (branch !== null && commitSha !== null) {
    throw new StepError("git_clone takes a branch or a commit SHA, not both", {
      hint: "Leave `branch` or `commit_sha` away.",
    });
  }
  if (branch !== null) assertBranch(branch);
  if (commitSha !== null && !/^[0-9a-fA-F]{4,64}$/.test(commitSha)) {
    throw new StepError(`Not a commit SHA: '${commitSha}'`, {
      hint: "`commit_sha` takes 4 to 64 hexadecimal digits; a branch or tag belongs in `branch`.",
    });
  }
  const address = parseGitAddress(repository);
  if (address.url.trim() === "" || address.url.startsWith("-") || address.url.includes("\0")) {
    throw new StepError(`Not an address of a repository: '${address.url}'`, {
      hint: "`repository` takes what `git clone` takes: an https or ssh address, or a path.",
    });
  }
  const directories = readDirectories(inputs["directories"]);
  for (const directory of directories.filter((name) => name.startsWith("--"))) {
    log.warn(
      `The directory '${directory}' starts with '--'; it is taken for a path, not for an option of git`,
    );
  }
  const hasSubmodules = given.flag("include_submodules", false);
  return {
    address,
    revision: { url: address.url, branch, commitSha, hasSubmodules, directories },
    accessToken,
    credentials,
    name: text("clone_directory_name") ?? cloneName(repository, branch),
  };
}

function assertBranch(branch: string): void {
  if (branch.startsWith("-")) {
    throw new StepError("Branch names cannot start with '-'", { hint: "Check `branch` of git_clone." });
  }
  // What `git check-ref-format` refuses and a refspec would take for more than a name.
  // eslint-disable-next-line no-control-regex -- git's own rule
  if (/[\u0000-\u0020\u007f:?*[\\^~]|\.\.|@\{/.test(branch)) {
    throw new StepError(`Not a name of a branch or tag: '${branch}'`, {
      hint: "Check `branch` of git_clone.",
    });
  }
}

function readDirectories(value: Json | undefined): readonly string[] {
  if (value === undefined || !isPythonTruthy(value)) return [];
  const items: readonly Json[] = Array.isArray(value) ? value : [value];
  const texts = items.filter((item) => typeof item === "string" && item !== "" && !item.includes("\0"));
  if (Array.isArray(value) && texts.length === items.length) return texts.map(String);
  throw new StepError("The input 'directories' of git_clone must be a list of texts", {
    hint: 'Write it as ["dir_1", "dir_2"].',
  });
}
