/** A repository's address without what must not be seen, and what was in it. */
export interface GitAddress {
  /** Safe for arguments, `.git/config`, logs and errors. */
  readonly url: string;
  /** Scheme, host and port (`https://host:8443`) where git speaks HTTP, else null. */
  readonly httpBase: string | null;
  /** User-info of an http(s) address, percent-decoded; null when there was none. */
  readonly userInfo: UserInfo | null;
}

export interface UserInfo {
  readonly username: string;
  /** Null when there was no colon. */
  readonly password: string | null;
}

interface UrlParts {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Query and fragment, with their marks. */
  readonly rest: string;
}

/** Takes the user-info out of an http(s) address; leaves ssh, scp-like, file and other addresses as they are. */
export function parseGitAddress(repository: string): GitAddress {
  const { scheme, authority, path, rest } = splitUrl(repository);
  if ((scheme !== "http" && scheme !== "https") || authority === "") {
    return { url: repository, httpBase: null, userInfo: null };
  }
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  return {
    url: `${scheme}://${host}${path}${rest}`,
    httpBase: `${scheme}://${host.toLowerCase()}`,
    userInfo: at === -1 ? null : readUserInfo(authority.slice(0, at)),
  };
}

/** The same repository has the same key, whoever asks for it (prefect/_internal/urls.py: strip_auth_from_url). */
export function addressKey(repository: string): string {
  const { scheme, authority, path, rest } = splitUrl(repository);
  if (authority === "") return repository;
  const host = authority.slice(authority.lastIndexOf("@") + 1).toLowerCase();
  return `${scheme}://${host}${path}${rest}`;
}

/**
 * The directory that Prefect makes for a repository: the last segment of the address's path, without any `.git` in it,
 * and the branch (prefect/runner/storage.py: GitRepository.__init__). Empty when the path ends with a slash.
 */
export function cloneName(repository: string, branch: string | null): string {
  const last = splitUrl(repository).path.split("/").at(-1) ?? "";
  const name = last.replaceAll(".git", "");
  return branch === null ? name : `${name}-${branch.replaceAll("/", "-")}`;
}

// Whose last path segment Python's urlparse cuts at a semicolon; no scheme is one of them, file and ssh are not.
const SCHEMES_WITH_PARAMETERS = new Set([
  "",
  "ftp",
  "hdl",
  "http",
  "https",
  "mms",
  "prospero",
  "rtsp",
  "rtsps",
  "rtspu",
  "sftp",
  "shttp",
  "sip",
  "sips",
  "tel",
]);

/** As Python's urllib.parse.urlparse, but for the parameters of the path, which are part of `rest` here. */
function splitUrl(text: string): UrlParts {
  // eslint-disable-next-line no-control-regex -- what urlparse strips
  const cleaned = text.replace(/^[\u0000-\u0020]+/, "").replaceAll(/[\t\r\n]/g, "");
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(cleaned)?.[1] ?? "";
  const afterScheme = scheme === "" ? cleaned : cleaned.slice(scheme.length + 1);
  const authority = /^\/\/([^/?#]*)/.exec(afterScheme)?.[1] ?? "";
  const afterAuthority = afterScheme.startsWith("//") ? afterScheme.slice(2 + authority.length) : afterScheme;
  const pathEnd = pathLength(afterAuthority, scheme.toLowerCase());
  return {
    scheme: scheme.toLowerCase(),
    authority,
    path: afterAuthority.slice(0, pathEnd),
    rest: afterAuthority.slice(pathEnd),
  };
}

function pathLength(text: string, scheme: string): number {
  const end = text.search(/[?#]/);
  const path = end === -1 ? text : text.slice(0, end);
  if (!SCHEMES_WITH_PARAMETERS.has(scheme)) return path.length;
  const semicolon = path.indexOf(";", path.lastIndexOf("/") + 1);
  return semicolon === -1 ? path.length : semicolon;
}

function readUserInfo(text: string): UserInfo {
  const colon = text.indexOf(":");
  if (colon === -1) return { username: percentDecode(text), password: null };
  return { username: percentDecode(text.slice(0, colon)), password: percentDecode(text.slice(colon + 1)) };
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not well-formed: taken as written
  }
}
