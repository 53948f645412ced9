import { execFileSync } from "node:child_process";
import { describe, it } from "vitest";

import { addressKey, cloneName, parseGitAddress } from "../../../src/steps/git-address.ts";

const ADDRESSES = [
  "https://github.com/org/repo.git",
  "https://github.com/org/repo",
  "https://github.com/org/repo/",
  "https://github.com/org/my.github.io.git",
  "https://github.com/org/repo.git?x=a/b#c/d",
  "https://github.com/org/repo;a=b/c",
  "https://github.com/org/a;b/repo;c",
  "https://user:tok@Host.example:8443/org/repo.git",
  "https://user:tok@host",
  "HTTP://host/a/b.git",
  "  https://host/a/b.git",
  "git@github.com:org/repo.git",
  "git@github.com:repo.git",
  "host:repo.git",
  "host:~/repo",
  "ssh://git@host:2222/org/re;po.git",
  "file:///srv/git/re;po.git",
  "/srv/git/repo.git",
  "../repo",
  ".",
  "C:\\git\\repo",
  "https://host/Ünï/rëpo.git",
  "https://host/a%20b.git",
];

// Python's own splitting, with which Prefect names the directory and compares an existing clone's address.
const PYTHON = `
import json, sys
from urllib.parse import urlparse, urlunparse
def key(url):
    parsed = urlparse(url)
    if not parsed.hostname:
        return url
    host = parsed.hostname if parsed.port is None else "%s:%s" % (parsed.hostname, parsed.port)
    return urlunparse(parsed._replace(netloc=host))
print(json.dumps([[urlparse(u).path.split("/")[-1].replace(".git", ""), key(u)] for u in json.load(sys.stdin)]))
`;

describe("git addresses", () => {
  it("are split as Python splits them", ({ expect }) => {
    const answer = execFileSync("python3", ["-c", PYTHON], {
      input: JSON.stringify(ADDRESSES),
      encoding: "utf8",
    });
    expect(ADDRESSES.map((address) => [cloneName(address, null), addressKey(address)])).toEqual(
      JSON.parse(answer),
    );
  });

  it("a branch is part of the name, its slashes are dashes", ({ expect }) => {
    expect(cloneName("https://host/repo.git", "feature/a/b")).toBe("repo-feature-a-b");
  });

  it("user-info is taken out of http(s) addresses only", ({ expect }) => {
    expect(parseGitAddress("https://a:b@c@Host:8/r.git?x#y")).toEqual({
      url: "https://Host:8/r.git?x#y",
      httpBase: "https://host:8",
      userInfo: { username: "a", password: "b@c" },
    });
    expect(parseGitAddress("ssh://git@host/r").url).toBe("ssh://git@host/r");
    expect(parseGitAddress("git@host:r").url).toBe("git@host:r");
  });
});
