import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Rows from low to high: a room imports its own row and those below. `src/README.md` shows the same rows, and says
 * why each stands where it does.
 */
const LAYERS = [
  ["errors", "lifecycle", "json"],
  ["config", "log"],
  ["api", "docker", "templating", "schemas", "schedules"],
  ["steps", "launcher"],
  ["worker", "project", "server"],
  ["ops"],
  ["cli"],
] as const satisfies readonly (readonly string[])[];

/** Pairs that may not import although their rows would allow it. */
const FORBIDDEN: readonly (readonly [from: string, to: string])[] = [
  ["server", "worker"],
  ["worker", "server"],
  ["templating", "lifecycle"],
  ["templating", "config"],
  ["templating", "log"],
  ["templating", "api"],
  ["schedules", "lifecycle"],
  ["schedules", "config"],
  ["schedules", "log"],
  ["schedules", "api"],
  ["schedules", "templating"],
  ["schedules", "schemas"],
];

const MAX_LINES = 400;

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "");

interface Source {
  readonly path: string;
  readonly text: string;
  /** Repository paths of the relative imports, and where the import stands. */
  readonly imports: readonly string[];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined; // deleted, not yet committed
  }
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}\/[^"]+)"/g;

const sources: readonly Source[] = tracked
  .filter((path) => /^src\/.*\.tsx?$/.test(path))
  .flatMap((path) => {
    const text = read(path);
    if (text === undefined) return [];
    const imports = [...text.matchAll(IMPORT)].map((match) =>
      normalize(join(dirname(path), match[1] ?? "")).replaceAll(sep, "/"),
    );
    return [{ path, text, imports }];
  });
const product = sources.filter((source) => !source.path.endsWith(".test.ts"));

/** `src/steps/git.ts` → `steps`, `src/errors.ts` → `errors`. */
function roomOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/(\.test)?\.ts$/, "");
}

function rowOf(room: string): number {
  return LAYERS.findIndex((row) => (row as readonly string[]).includes(room));
}

/** Blanks out comments and the insides of strings, so that words in prose do not count as code. */
function codeOnly(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/.*$|"(?:[^"\\\n]|\\.)*"/gm, (match) =>
    match.startsWith('"') ? '""' : "",
  );
}

describe("architecture", () => {
  it("every room of src stands in the layering table", ({ expect }) => {
    const rooms = [...new Set(sources.map((source) => roomOf(source.path)))];
    expect(rooms.filter((room) => rowOf(room) === -1)).toEqual([]);
    expect(rooms.length).toBeGreaterThan(3);
  });

  it("lower rooms never import higher ones", ({ expect }) => {
    const wrong = product.flatMap((source) => {
      const from = roomOf(source.path);
      return source.imports
        .filter((target) => target.startsWith("src/"))
        .filter((target) => {
          const to = roomOf(target);
          return rowOf(to) > rowOf(from) || FORBIDDEN.some(([a, b]) => a === from && b === to);
        })
        .map((target) => `${source.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("the page stands alone: it runs in a browser, and the server only serves its files", ({ expect }) => {
    const isPage = (path: string): boolean => path.startsWith("src/server/page/");
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter((target) => isPage(source.path) !== isPage(target))
        .map((target) => `${source.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
    expect(sources.filter(({ path }) => isPage(path)).length).toBeGreaterThan(20);
  });

  it("the import scan sees what it is meant to see", ({ expect }) => {
    expect(sources.flatMap((source) => source.imports).length).toBeGreaterThan(10);
    const text = 'import { a } from "./a.ts";\nconst b = await import("../b/b.ts");\nimport "./c.ts";';
    expect([...text.matchAll(IMPORT)].map((match) => match[1])).toEqual(["./a.ts", "../b/b.ts", "./c.ts"]);
  });

  it("src never imports test, nor a path without its extension", ({ expect }) => {
    const wrong = product.flatMap((source) =>
      source.imports
        .filter((target) => !target.startsWith("src/") || !/\.(tsx?|json|css)$/.test(target))
        .map((target) => `${source.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it("src/README.md shows the same layers", ({ expect }) => {
    const readme = read("src/README.md") ?? "";
    const rows = [...readme.matchAll(/^\|\s*\d+\s*\|([^|]*)\|/gm)].map((match) =>
      [...(match[1] ?? "").matchAll(/`([\w-]+)`/g)].map((name) => name[1]),
    );
    expect(rows).toEqual(LAYERS);
  });

  it("only src/cli touches the process: its environment, arguments, exit and console", ({ expect }) => {
    const global = /\bprocess\.(env|argv|exit|exitCode|stdout|stderr|stdin)\b|\bconsole\.\w+/;
    const isEnvSource = (path: string) => /^src\/config\/(env|environment)[\w-]*\.ts$/.test(path);
    const wrong = product
      .filter((source) => roomOf(source.path) !== "cli" && !isEnvSource(source.path))
      .flatMap((source) => {
        const found = global.exec(codeOnly(source.text));
        return found === null ? [] : [`${source.path}: ${found[0]}`];
      });
    expect(wrong).toEqual([]);
  });

  it("no default exports, enums or namespaces", ({ expect }) => {
    const wrong = sources
      .filter((source) =>
        /^export default\b|^(export )?(const )?enum\b|^(export )?namespace\b/m.test(source.text),
      )
      .map((source) => source.path);
    expect(wrong).toEqual([]);
  });

  it(`no source file is longer than ${MAX_LINES} lines`, ({ expect }) => {
    const wrong = product
      .map((source) => `${source.path}: ${source.text.split("\n").length - 1}`)
      .filter((line) => Number(line.split(": ")[1]) > MAX_LINES);
    expect(wrong).toEqual([]);
  });

  it("folders and files are named after what they hold, in kebab-case", ({ expect }) => {
    const parts = tracked.filter((path) => /^(src|test)\//.test(path)).flatMap((path) => path.split("/"));
    const vague = /^(lib|libs|utils?|common|helpers?|misc|shared)(\.\w+)?$/;
    expect([...new Set(parts)].filter((part) => vague.test(part))).toEqual([]);
    const names = sources.map((source) => relative("src", source.path));
    expect(names.filter((name) => !/^[a-z0-9./-]+$/.test(name))).toEqual([]);
  });

  it("no file names a package registry or a path of the machine it was written on", ({ expect }) => {
    // Put together here so that this file does not hold them itself.
    const dot = ".";
    const hosts = [
      ["registry", "npmjs", "org"],
      ["registry", "yarnpkg", "com"],
      ["pypi", "org"],
      ["files", "pythonhosted", "org"],
      ["proxy", "golang", "org"],
      ["sum", "golang", "org"],
      ["deb", "debian", "org"],
      ["crates", "io"],
    ].map((labels) => labels.join(dot));
    const machine = /(?<![\w./-])\/work\/(main|shared)(?=[/"'\s]|$)/m;
    const wrong = tracked
      .filter((path) => path !== "LICENSE")
      .flatMap((path) => {
        const text = read(path) ?? "";
        const host = hosts.find((name) => text.includes(name));
        const place = machine.exec(text)?.[0];
        return [host, place].filter((found) => found !== undefined).map((found) => `${path}: ${found}`);
      });
    expect(wrong).toEqual([]);
  });
});
