import { describe, it } from "vitest";

import { parseGitAddress } from "./git-address.ts";
import { gitCredentials, secretsOf } from "./git-credentials.ts";

import type { Json } from "../json/value.ts";

function userFor(repository: string, credentials: Json, accessToken: string | null = null): string | null {
  const user = gitCredentials(parseGitAddress(repository), { accessToken, credentials });
  return user === null ? null : `${user.httpBase} ${user.username} ${String(user.password)}`;
}

describe("gitCredentials", () => {
  const cases: readonly (readonly [repository: string, credentials: Json, expected: string | null])[] = [
    ["https://github.com/o/r.git", { token: "t" }, "https://github.com t "],
    ["https://github.com/o/r.git", { access_token: "a", token: "t", password: "p" }, "https://github.com a "],
    ["https://github.com/o/r.git", { username: "u", password: "p" }, "https://github.com u p"],
    ["https://GitHub.com:8443/o/r", { token: "t", url: "x" }, "https://github.com:8443 t "],
    ["https://gitlab.com/o/r.git", { token: "t" }, "https://gitlab.com oauth2 t"],
    ["https://my.gitlab.corp/o/r.git", { token: "oauth2:t" }, "https://my.gitlab.corp oauth2 t"],
    [
      "https://gitlab.com/o/r.git",
      { token: "gitlab+deploy-token-1:t:x" },
      "https://gitlab.com gitlab+deploy-token-1 t:x",
    ],
    ["https://bitbucket.org/o/r.git", { token: "t" }, "https://bitbucket.org x-token-auth t"],
    ["https://bitbucket.org/o/r.git", { token: "x-token-auth:t" }, "https://bitbucket.org x-token-auth t"],
    ["https://bitbucket.org/o/r.git", { token: "u:p" }, "https://bitbucket.org u p"],
    ["https://bitbucketserver.corp/scm/o/r.git", { token: "u:p" }, "https://bitbucketserver.corp u p"],
    [
      "https://bitbucketserver.corp/scm/o/r.git",
      { username: "u", password: "p" },
      "https://bitbucketserver.corp u p",
    ],
    ["http://127.0.0.1:3000/r.git", { token: "u:p" }, "http://127.0.0.1:3000 u p"],
    ["https://me@host/r.git", { token: "t" }, "https://host me t"],
    ["https://me:pw@host/r.git", { token: "t" }, "https://host t "],
    ["https://me:p%40w%2f@host/r.git", null, "https://host me p@w/"],
    ["https://me:100%@host/r.git", null, "https://host me 100%"],
    ["https://token@host/r.git", null, "https://host token null"],
    ["https://host/r.git", null, null],
    ["https://host/r.git", {}, null],
    ["git@github.com:o/r.git", { token: "t" }, null],
    ["ssh://git@host/r.git", null, null],
    ["/srv/r.git", { token: "t" }, null],
  ];
  for (const [repository, credentials, expected] of cases) {
    it(`${repository} with ${JSON.stringify(credentials)}`, ({ expect }) => {
      expect(userFor(repository, credentials)).toBe(expected);
    });
  }

  it("an access token counts as credentials of its own", ({ expect }) => {
    expect(userFor("https://gitlab.com/o/r", null, "t")).toBe("https://gitlab.com oauth2 t");
  });

  it("refuses what Prefect refuses, also for ssh, and what git cannot take", ({ expect }) => {
    expect(() => userFor("git@h:o/r", { username: "u" })).toThrow(/neither an `access_token` nor/);
    expect(() => userFor("https://h/r", { token: "" })).toThrow(/neither a `token` nor/);
    expect(() => userFor("https://bitbucketserver.corp/r", { token: "t" })).toThrow(/BitBucket Server/);
    expect(() => userFor("https://h/r", { token: { nested: "t" } })).toThrow(/'token' .* not dict/);
    expect(() => userFor("https://h/r", { token: "t\n" })).toThrow(/line break/);
  });

  it("secrets are the password, a token in the user's place, and the header's text", ({ expect }) => {
    const of = (username: string, password: string | null): readonly string[] =>
      secretsOf({ httpBase: "https://h", username, password });
    expect(of("me", "pw")).toEqual(["pw", Buffer.from("me:pw").toString("base64")]);
    expect(of("ghp_1", "")).toContain("ghp_1");
    expect(of("ghp_1", null)).toContain("ghp_1");
    expect(of("ghp_1", "x-oauth-basic")).toContain("ghp_1");
  });
});
