import { isPythonTruthy, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { StepError } from "./errors.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { GitAddress, UserInfo } from "./git-address.ts";

/** What git answers when the server asks who it is. */
export interface GitCredentials {
  /** Only this scheme, host and port is told: a redirect or a submodule elsewhere gets nothing. */
  readonly httpBase: string;
  readonly username: string;
  /** Null: the user's own credential helpers may know one. */
  readonly password: string | null;
}

/**
 * The credentials for a repository from the step's inputs, else from the address itself; null when there are none, or when
 * the address is none of http(s). Users and tokens are put together as Prefect does (prefect/runner/storage.py:
 * _format_token_from_credentials), by the host's name where the block has no user.
 */
export function gitCredentials(
  address: GitAddress,
  inputs: { readonly accessToken: string | null; readonly credentials: Json },
): GitCredentials | null {
  const given = givenCredentials(address, inputs);
  if (address.httpBase === null) return null;
  const user = given ?? address.userInfo;
  if (user === null) return null;
  if (/[\n\0]/.test(`${user.username}${user.password ?? ""}`)) {
    throw new StepError("The credentials of git_clone hold a line break, which git cannot take", {
      hint: "Store the token without a newline at its end.",
    });
  }
  // A bare user of an address is a token or somebody whose password the user's own helper knows.
  return { httpBase: address.httpBase, username: user.username, password: user.password };
}

/** The texts that must not be seen anywhere. */
export function secretsOf(credentials: GitCredentials): readonly string[] {
  const { username, password } = credentials;
  const basic = Buffer.from(`${username}:${password ?? ""}`).toString("base64");
  const isUserSecret =
    password === null || password === "" || password === "x-oauth-basic" || username.length >= 20;
  const secrets = [password ?? "", isUserSecret ? username : "", basic];
  return secrets.filter((secret) => secret !== "");
}

/** Throws what Prefect throws, also where the address is not one of http(s). */
function givenCredentials(
  address: GitAddress,
  { accessToken, credentials }: { readonly accessToken: string | null; readonly credentials: Json },
): UserInfo | null {
  if (accessToken !== null) return userOf({ access_token: accessToken }, address);
  if (!isPythonTruthy(credentials)) return null;
  if (!isJsonObject(credentials)) {
    throw new StepError(
      `The input 'credentials' of git_clone must be a mapping, not ${pythonTypeName(credentials)}`,
      {
        hint: "Give a credentials block here; a Secret block or a plain token belongs in 'access_token'.",
      },
    );
  }
  return userOf(credentials, address);
}

function userOf(credentials: JsonObject, address: GitAddress): UserInfo {
  const username = textOf(credentials, "username");
  const accessToken = textOf(credentials, "access_token");
  const password = textOf(credentials, "password");
  // Beside a user Prefect takes no `token`.
  if (username !== null && accessToken === null && password === null) {
    throw new StepError(
      "The credentials of git_clone have a `username`, but neither an `access_token` nor a `password`",
      { hint: "Fill in one of them in the credentials block, or leave the user away." },
    );
  }
  const token = accessToken ?? textOf(credentials, "token") ?? password;
  if (token === null) {
    throw new StepError("The credentials of git_clone have neither a `token` nor a `password`", {
      hint: "Check the credentials block: is its token filled in?",
    });
  }
  if (username !== null) return { username, password: token };
  return tokenUser(token, address);
}

function tokenUser(token: string, address: GitAddress): UserInfo {
  const named = address.userInfo?.password === null ? address.userInfo.username : "";
  if (named !== "") return { username: named, password: token };
  const host = address.httpBase ?? "";
  // 3.8.8 splits a `user:token` only for the hosts below and sends it whole, as a user, to others; 2.x splits for all.
  const colon = token.indexOf(":");
  if (colon !== -1) return { username: token.slice(0, colon), password: token.slice(colon + 1) };
  if (host.includes("bitbucketserver")) {
    throw new StepError(
      "BitBucket Server needs a `username` and a `password` or `token` in the credentials",
      {
        hint: "Fill in both in the BitBucketCredentials block, or give `user:token` as token.",
      },
    );
  }
  if (host.includes("bitbucket")) return { username: "x-token-auth", password: token };
  if (host.includes("gitlab")) return { username: "oauth2", password: token };
  return { username: token, password: "" };
}

function textOf(credentials: JsonObject, name: string): string | null {
  const value = credentials[name];
  if (!isPythonTruthy(value) || value === undefined) return null;
  if (typeof value === "string") return value;
  throw new StepError(
    `'${name}' of the credentials of git_clone must be a text, not ${pythonTypeName(value)}`,
  );
}
