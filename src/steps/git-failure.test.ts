import { describe, it } from "vitest";

import { classifyGitFailure, gitFailure } from "./git-failure.ts";

import type { GitFailureKind } from "./git-failure.ts";

/** What git 2.39 (curl 7.88 with GnuTLS, OpenSSH 9.2) and the big hosts write; those marked [docs] come from their pages. */
const OUTPUTS: readonly (readonly [GitFailureKind, boolean, string])[] = [
  ["authentication", false, "fatal: Authentication failed for 'http://127.0.0.1:8080/secret.git/'"],
  [
    "authentication",
    false,
    "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
  ],
  [
    "authentication",
    false,
    "remote: Invalid username or token. Password authentication is not supported for Git operations.\nfatal: Authentication failed for 'https://github.com/o/r.git/'",
  ],
  [
    "authentication",
    false,
    "remote: HTTP Basic: Access denied. The provided password or token is incorrect or your account has 2FA enabled\nfatal: Authentication failed for 'https://gitlab.com/o/r.git/'",
  ],
  [
    "forbidden",
    false,
    "fatal: unable to access 'http://127.0.0.1:8080/x.git/': The requested URL returned error: 403",
  ],
  [
    "forbidden",
    false,
    "remote: Write access to repository not granted.\nfatal: unable to access 'https://github.com/o/r.git/': The requested URL returned error: 403",
  ],
  [
    "ssh-key",
    false,
    "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
  ],
  [
    "ssh-host-key",
    false,
    "Host key verification failed.\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
  ],
  ["not-found", false, "fatal: repository 'http://127.0.0.1:8080/none.git/' not found"],
  [
    "not-found",
    false,
    "remote: Repository not found.\nfatal: repository 'https://github.com/o/none.git/' not found",
  ],
  [
    "not-found",
    false,
    "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
  ],
  [
    "not-found",
    false,
    "remote: The project you were looking for could not be found or you don't have permission to view it.\nfatal: repository 'https://gitlab.com/o/none.git/' not found",
  ],
  ["not-found", false, "fatal: repository '/srv/none' does not exist"],
  [
    "not-found",
    false,
    "fatal: '/srv/none' does not appear to be a git repository\nfatal: Could not read from remote repository.",
  ],
  [
    "branch",
    false,
    "warning: Could not find remote branch none to clone.\nfatal: Remote branch none not found in upstream origin",
  ],
  ["branch", false, "fatal: couldn't find remote ref refs/heads/none"],
  ["commit", false, "fatal: remote error: upload-pack: not our ref 1234567890123456789012345678901234567890"],
  [
    "commit",
    false,
    "error: Server does not allow request for unadvertised object 1234567890123456789012345678901234567890",
  ],
  ["commit", false, "fatal: Needed a single revision"],
  [
    "dns",
    true,
    "fatal: unable to access 'https://none.invalid/x.git/': Could not resolve host: none.invalid",
  ],
  [
    "dns",
    true,
    "ssh: Could not resolve hostname none.invalid: Name or service not known\nfatal: Could not read from remote repository.",
  ],
  [
    "unreachable",
    true,
    "fatal: unable to access 'http://127.0.0.1:1/x.git/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
  ],
  [
    "unreachable",
    true,
    "ssh: connect to host 127.0.0.1 port 1: Connection refused\nfatal: Could not read from remote repository.",
  ],
  [
    "unreachable",
    true,
    "fatal: unable to connect to 127.0.0.1:\n127.0.0.1[0: 127.0.0.1]: errno=Connection refused",
  ],
  [
    "certificate",
    false,
    "fatal: unable to access 'https://127.0.0.1:4/x.git/': server certificate verification failed. CAfile: none CRLfile: none",
  ],
  [
    "certificate",
    false,
    "fatal: unable to access 'https://h/x.git/': SSL certificate problem: self-signed certificate",
  ],
  [
    "server",
    true,
    "fatal: unable to access 'http://127.0.0.1:8080/x.git/': The requested URL returned error: 503",
  ],
  [
    "server",
    true,
    "error: RPC failed; HTTP 500 curl 22 The requested URL returned error: 500\nfatal: expected flush after ref listing",
  ],
  [
    "server",
    true,
    "error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429\nfatal: the remote end hung up unexpectedly",
  ],
  [
    "cut",
    true,
    "Receiving objects:  24% (6/25)\rerror: RPC failed; curl 18 transfer closed with outstanding read data remaining\nerror: 1435 bytes of body are still expected\nfetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output",
  ],
  ["cut", true, "fatal: unable to access 'http://127.0.0.1:8080/x.git/': Empty reply from server"],
  ["cut", true, "fatal: unable to access 'https://h/x.git/': Recv failure: Connection reset by peer"],
  [
    "cut",
    true,
    "kex_exchange_identification: Connection closed by remote host\nfatal: Could not read from remote repository.",
  ],
  [
    "cut",
    true,
    "fatal: unable to access 'https://h/x.git/': gnutls_handshake() failed: The TLS connection was non-properly terminated.",
  ],
  [
    "cut",
    true,
    "error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 120 seconds",
  ],
  [
    "disk-full",
    false,
    "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
  ],
  ["killed", false, "error: index-pack died of signal 9\nfatal: fetch-pack: invalid index-pack output"],
  ["existing-path", false, "fatal: destination path 'x' already exists and is not an empty directory."],
  ["ownership", false, "fatal: detected dubious ownership in repository at '/srv/x'"],
  ["permission", false, "fatal: could not create work tree dir '/x': Permission denied"],
  ["permission", false, "fatal: could not create leading directories of '/x/y': Read-only file system"],
  ["protocol", false, "fatal: transport 'ext' not allowed"],
  ["protocol", false, "fatal: Unable to find remote helper for 'foo'"],
  [
    "submodule",
    false,
    "fatal: Authentication not needed\nfatal: clone of 'https://h/sub.git' into submodule path '/w/sub' failed",
  ],
  [
    "proxy",
    false,
    "fatal: unable to access 'https://h/x.git/': Received HTTP code 407 from proxy after CONNECT",
  ],
  ["lfs", false, "git-lfs filter-process: 1: git-lfs: not found\nfatal: the remote end hung up unexpectedly"],
  ["locked", false, "fatal: Unable to create '/w/x/.git/index.lock': File exists."],
  [
    "redirect",
    false,
    "fatal: unable to update url base from redirection:\n  asked for: http://h/x.git/info/refs?service=git-upload-pack\n   redirect: http://h/login",
  ],
  ["unknown", false, "fatal: something else"],
  ["unknown", false, ""],
];

describe("git failures", () => {
  for (const [kind, isTransient, stderr] of OUTPUTS) {
    it(`${kind}: ${stderr.split("\n").at(-1)}`, ({ expect }) => {
      expect(classifyGitFailure(stderr)).toMatchObject({ kind, isTransient });
    });
  }

  it("a name in git's meter is no reason", ({ expect }) => {
    expect(classifyGitFailure("Receiving objects:  40% (2/5) returned error: 503\rfatal: odd").kind).toBe(
      "unknown",
    );
  });

  it("the error says address, exit code and reason, and keeps git's last lines", ({ expect }) => {
    const stderr = "Cloning into 'x'...\nfatal: repository 'https://h/x.git/' not found\n";
    expect(gitFailure("https://h/x.git", { exitCode: 128, stdout: "", stderr }, [])).toMatchObject({
      message: "Failed to clone repository 'https://h/x.git' with exit code 128: repository not found",
      toolExitCode: 128,
      retryable: false,
      outputTail: "Cloning into 'x'...\nfatal: repository 'https://h/x.git/' not found",
      hint: expect.stringContaining("Check the address") as string,
    });
  });

  it("what git says is the reason when nothing else is known, without secrets", ({ expect }) => {
    const stderr = "fatal: odd https://me:hunter22@h/x and hunter22 and a%2Fb%2Fc\n";
    const error = gitFailure("u", { exitCode: 1, stdout: "", stderr }, ["hunter22", "a/b/c"]);
    expect(error.message).toBe(
      "Failed to clone repository 'u' with exit code 1: fatal: odd https://h/x and *** and ***",
    );
    expect(error.outputTail).not.toContain("hunter22");
  });

  it("a git that the kernel killed without a word", ({ expect }) => {
    const error = gitFailure("u", { exitCode: -9, stdout: "", stderr: "" }, []);
    expect(error.message).toContain("killed or ran out of memory");
  });
});
