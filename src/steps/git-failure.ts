import { StepError } from "./errors.ts";
import { withoutProgress } from "./git-progress.ts";

import type { ToolResult } from "./tool.ts";

export type GitFailureKind =
  | "authentication"
  | "forbidden"
  | "ssh-key"
  | "ssh-host-key"
  | "not-found"
  | "branch"
  | "commit"
  | "submodule"
  | "dns"
  | "unreachable"
  | "proxy"
  | "certificate"
  | "redirect"
  | "server"
  | "cut"
  | "disk-full"
  | "existing-path"
  | "ownership"
  | "permission"
  | "protocol"
  | "lfs"
  | "locked"
  | "killed"
  | "unknown";

interface Explanation {
  readonly kind: GitFailureKind;
  readonly pattern: RegExp;
  readonly reason: string;
  readonly hint: string;
  /** The same command may work a moment later. */
  readonly isTransient?: true;
}

// The first that matches counts: a cause stands above what follows from it (every ssh failure ends with "Could not read
// from remote repository", a full disk with "early EOF"). Patterns match texts of git 2.20 to 2.51, curl, OpenSSH and the
// big hosts; git-failure.test.ts has the outputs.
const EXPLANATIONS: readonly Explanation[] = [
  {
    kind: "disk-full",
    pattern: /No space left on device|Disk quota exceeded|Out of diskspace/i,
    reason: "the disk is full",
    hint: "Make room where the worker keeps its workspaces, or clone less (`directories`).",
  },
  {
    kind: "killed",
    pattern: /died of signal 9|signal: killed|out of memory|memory exhausted|Cannot allocate memory/i,
    reason: "git was killed or ran out of memory",
    hint: "Give the worker more memory, or clone less (`directories`).",
  },
  {
    kind: "ownership",
    pattern: /dubious ownership|unsafe repository/,
    reason: "the existing clone belongs to another user",
    hint: "Remove the directory, or let the worker run as the user who made it.",
  },
  {
    kind: "ssh-host-key",
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
    reason: "ssh does not know the server's host key",
    hint: "Add it to ~/.ssh/known_hosts of the worker's user (ssh-keyscan HOST), after checking it.",
  },
  {
    kind: "ssh-key",
    pattern: /Permission denied \((?:publickey|password|keyboard|gssapi)|Too many authentication failures/,
    reason: "the server refused the ssh key",
    hint: "Check the ssh key of the worker's user, and that it may read the repository; credentials only count for http(s).",
  },
  {
    kind: "proxy",
    pattern: /HTTP code 407|Could not resolve proxy|from proxy after CONNECT|Proxy CONNECT aborted/,
    reason: "the proxy refused the connection or was not found",
    hint: "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the worker.",
  },
  {
    kind: "authentication",
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 401|Invalid username or (?:password|token)|Invalid credentials/i,
    reason: "authentication failed",
    hint: "Check that the token or password is right and has not expired; a private repository needs `credentials` or `access_token`.",
  },
  {
    kind: "forbidden",
    pattern: /returned error: 403|HTTP 403|Access denied|not authorized|access to the requested repository/i,
    reason: "access to the repository was refused",
    hint: "The credentials are known to the server but may not read this repository: check the token's scope.",
  },
  {
    kind: "branch",
    pattern: /Remote branch .* not found|couldn't find remote ref|not a valid branch name/i,
    reason: "there is no such branch or tag",
    hint: "Check `branch`: it must exist in the repository, without refs/heads/ in front.",
  },
  {
    kind: "submodule",
    pattern: /(?:Fetched in|in) submodule path|No url found for submodule|clone of '.*' into submodule path/,
    reason: "a submodule could not be fetched",
    hint: "The credentials only count for submodules on the repository's own scheme, host and port.",
  },
  {
    kind: "commit",
    pattern:
      /not our ref|unadvertised object|reference is not a tree|did not match any file|bad object|Needed a single revision/,
    reason: "there is no such commit",
    hint: "Check `commit_sha`: it must be pushed to this repository; a branch or tag belongs in `branch`.",
  },
  {
    kind: "not-found",
    pattern:
      /repository '.*' not found|repository not found|does not appear to be a git repository|returned error: 404|HTTP 404|could not be found|repository '.*' does not exist|no such repository/i,
    reason: "repository not found",
    hint: "Check the address, and that the credentials may see the repository: hosts answer so for a private one, too.",
  },
  {
    kind: "redirect",
    pattern:
      /unable to update url base from redirection|Maximum \(\d+\) redirects|not valid: is this a git repository/,
    reason: "the address leads to a page, not to a repository",
    hint: "Check the address; the server may be asking for a login in the browser.",
  },
  {
    kind: "dns",
    pattern:
      /Could not resolve host|Name or service not known|Temporary failure in name resolution|nodename nor servname/i,
    reason: "the server's name cannot be resolved",
    hint: "Check the host in the address, and the worker's network and DNS settings.",
    isTransient: true,
  },
  {
    kind: "certificate",
    pattern:
      /SSL certificate problem|certificate verif|no alternative certificate subject|CAfile|unable to get local issuer|certificate has expired/i,
    reason: "the server's certificate is not trusted",
    hint: "Give git the authority's certificate: GIT_SSL_CAINFO in the worker's environment, or http.sslCAInfo.",
  },
  {
    kind: "unreachable",
    pattern:
      /Connection refused|Couldn't connect to server|Failed to connect to|Could not connect to server|Network is unreachable|No route to host|timed out|unable to connect to/i,
    reason: "the server cannot be reached",
    hint: "Check host and port of the address, and the worker's network, proxy and firewall.",
    isTransient: true,
  },
  {
    kind: "server",
    pattern: /returned error: (?:5\d\d|429|408)|HTTP (?:5\d\d|429|408)|Internal Server Error/i,
    reason: "the server failed",
    hint: "The git server has a problem or is overloaded: try again later, or look at its logs.",
    isTransient: true,
  },
  {
    kind: "lfs",
    pattern: /git-lfs|smudge filter lfs|external filter/,
    reason: "Git LFS could not fetch its files",
    hint: "Install git-lfs on the worker's machine, or set GIT_LFS_SKIP_SMUDGE=1 when the flow does not need the files.",
  },
  {
    kind: "cut",
    pattern:
      /early EOF|unexpected disconnect|hung up unexpectedly|Connection (?:was )?reset|Recv failure|Send failure|Empty reply from server|transfer closed|outstanding read data|recv error|gnutls_handshake|SSL_ERROR_SYSCALL|Operation too slow|invalid index-pack output|unexpected EOF|kex_exchange_identification|Connection closed by|HTTP\/2 stream|expected flush after/i,
    reason: "the connection broke",
    hint: "Check the network between the worker and the server, and a proxy's limits.",
    isTransient: true,
  },
  {
    kind: "protocol",
    pattern:
      /transport '.*' not allowed|Unable to find remote helper|remote-.* is not a git command|protocol '.*' is not supported/i,
    reason: "git does not speak the address's protocol",
    hint: "Use https, ssh, git or a path; ext:: addresses are never allowed.",
  },
  {
    kind: "existing-path",
    pattern: /already exists and is not an empty directory|destination path .* already exists/,
    reason: "the directory exists already and is no clone",
    hint: "Remove it, or choose another `clone_directory_name`.",
  },
  {
    kind: "locked",
    pattern: /\.lock': File exists|Another git process seems to be running/,
    reason: "another git works in the same directory, or one was killed there",
    hint: "Remove the lock file that git names when no git runs there.",
  },
  {
    kind: "permission",
    pattern:
      /Permission denied|Read-only file system|could not create (?:work tree|leading director)|Operation not permitted/i,
    reason: "the worker's user may not write here, or not read there",
    hint: "Check owner and permissions of the directories that git names.",
  },
];

export interface GitFailure {
  readonly kind: GitFailureKind;
  /** Undefined when git's own words must do. */
  readonly reason?: string;
  readonly hint?: string;
  readonly isTransient: boolean;
}

/** What a failed git's stderr means. The only place that reads git's texts. */
export function classifyGitFailure(stderr: string): GitFailure {
  const text = withoutProgress(stderr).join("\n");
  const found = EXPLANATIONS.find(({ pattern }) => pattern.test(text));
  if (found === undefined) return { kind: "unknown", isTransient: false };
  return {
    kind: found.kind,
    reason: found.reason,
    hint: found.hint,
    isTransient: found.isTransient ?? false,
  };
}

/** The error of a git that ended with another code than 0; `url` comes without user-info. */
export function gitFailure(url: string, result: ToolResult, secrets: readonly string[]): StepError {
  const { exitCode } = result;
  const { reason, hint, isTransient } = explain(result);
  const lines = withoutProgress(redact(result.stderr, secrets));
  const said = lines.length === 0 ? "git said nothing about it" : lines.slice(-3).join(" | ");
  const tail = lines.slice(-20).join("\n");
  return new StepError(`Failed to clone repository '${url}' with exit code ${exitCode}: ${reason ?? said}`, {
    exitCode,
    retryable: isTransient,
    ...(tail === "" ? {} : { outputTail: tail }),
    ...(hint === undefined ? {} : { hint }),
  });
}

function explain(result: ToolResult): GitFailure {
  const failure = classifyGitFailure(result.stderr);
  if (failure.kind !== "unknown" || result.exitCode !== -9) return failure;
  return classifyGitFailure("signal: killed");
}

function redact(text: string, secrets: readonly string[]): string {
  let clean = text.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s'"<>]*@/gi, (match, scheme: string) =>
    /^ssh:/i.test(match) && !match.slice(6).includes(":") ? match : scheme,
  );
  for (const secret of secrets) {
    for (const form of new Set([secret, encodeURIComponent(secret)])) {
      if (form.length >= 4) clean = clean.replaceAll(form, "***");
    }
  }
  return clean;
}
