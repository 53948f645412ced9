// Writes what follows from the source: config.example.yaml and the table in README.md from the settings table,
// prefect.schema.json from the rules of prefect.yaml. With --check it only says which of them is stale, and fails.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");

// Node 20 reads no TypeScript: the table goes through memory as one JavaScript module.
const { outputFiles } = await build({
  stdin: {
    contents: `
      export * from "./src/config/settings.ts";
      export { showFlag } from "./src/config/flags.ts";
      export { jsonSchema } from "./src/project/schema.ts";
    `,
    resolveDir: root,
    loader: "ts",
  },
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
});
const bundle = Buffer.from(outputFiles[0].contents).toString("base64");
const { SETTING_ENTRIES, ENVIRONMENT_ONLY, jsonSchema, showFlag } = await import(
  `data:text/javascript;base64,${bundle}`
);

const BEGIN = "<!-- settings:begin -->";
const END = "<!-- settings:end -->";

const stale = [];
await update("config.example.yaml", () => exampleFile());
await update("prefect.schema.json", () => `${JSON.stringify(jsonSchema(), null, 2)}\n`);
await update("README.md", (readme) => {
  if (readme === undefined) return undefined;
  const [before, rest] = splitOnce(readme, BEGIN);
  const [, after] = splitOnce(rest, END);
  return `${before}${BEGIN}\n\n${settingsTable()}\n${END}${after}`;
});
if (stale.length > 0) {
  console.error(`Stale: ${stale.join(", ")}. Run \`npm run gen\` and commit the result.`);
  process.exitCode = 1;
}

async function update(file, render) {
  const current = await readFile(root + file, "utf8").catch(() => undefined);
  const wanted = render(current);
  if (wanted === undefined || wanted === current) return;
  if (isCheck) stale.push(file);
  else {
    await writeFile(root + file, wanted);
    console.log(`Wrote ${file}.`);
  }
}

function splitOnce(text, marker) {
  const at = text.indexOf(marker);
  if (at < 0)
    throw new Error(`README.md has no ${marker}: put both markers where the table of settings belongs.`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}

function exampleFile() {
  const lines = [
    "# Settings of Lighterman: copy this file, take the # from the lines you need, and name the copy with",
    "# --config FILE or LIGHTERMAN_CONFIG. Flags and environment variables win over it; it wins over .env, prefect.toml,",
    "# pyproject.toml and Prefect's profile. Relative paths count from the directory of the file.",
    "# Made from the settings table in src/config by `npm run gen`: do not edit.",
  ];
  writeSection(lines, treeOf(SETTING_ENTRIES), "");
  return `${lines.join("\n")}\n`;
}

/** Sections as Maps, settings as entries. */
function treeOf(entries) {
  const tree = new Map();
  for (const entry of entries) {
    const names = entry.key.split(".");
    let section = tree;
    for (const name of names.slice(0, -1)) {
      if (!section.has(name)) section.set(name, new Map());
      section = section.get(name);
    }
    section.set(names.at(-1), entry);
  }
  return tree;
}

function writeSection(lines, section, indent) {
  const isSection = ([, value]) => value instanceof Map;
  const all = [...section];
  for (const [name, entry] of all.filter((item) => !isSection(item))) {
    const { setting } = entry;
    const flag = setting.flag === undefined ? "" : `; flag: ${showFlag(setting.flag)}`;
    lines.push(
      "",
      `${indent}# ${setting.doc}`,
      `${indent}# Environment: ${entry.name}${flag}; default: ${defaultText(setting)}.`,
      `${indent}#${name}: ${yamlValue(setting)}`,
    );
  }
  for (const [name, child] of all.filter(isSection)) {
    lines.push("", `${indent}${name}:`);
    writeSection(lines, child, `${indent}  `);
  }
}

function defaultText({ default: value, defaultDoc }) {
  return defaultDoc ?? (value === undefined || value === "" ? "none" : value);
}

function yamlValue({ default: value, example }) {
  if (value === undefined || value === "") return example;
  return value.includes("*") ? JSON.stringify(value) : value;
}

function settingsTable() {
  const rows = SETTING_ENTRIES.map(({ key, name, setting }) => [
    code(key),
    setting.flag === undefined ? "" : code(showFlag(setting.flag)),
    code(name),
    setting.defaultDoc ?? (setting.default ? code(setting.default) : "none"),
    `${setting.doc}${setting.secret ? " *Secret.*" : ""}`,
  ]);
  const others = ENVIRONMENT_ONLY.map(({ names, flag, default: value, doc }) => [
    "",
    flag === undefined ? "" : code(flag),
    names.map(code).join(", "),
    value,
    doc,
  ]);
  const cells = [
    ["key in the config file", "flag", "environment", "default", "meaning"],
    ["---", "---", "---", "---", "---"],
    ...rows,
    ...others,
  ];
  return `${cells.map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n")}\n`;
}

function code(text) {
  return `\`${text}\``;
}
