import { describe, it } from "vitest";

import { withEntry } from "./saved-deployment.ts";

const ENTRY = {
  name: "new",
  entrypoint: "flow.py:main",
  schedules: [{ cron: "0 6 * * *", timezone: "Europe/Berlin", active: true }],
  work_pool: { name: "pool" },
};
const WRITTEN = `- name: new
  entrypoint: flow.py:main
  schedules:
    - cron: 0 6 * * *
      timezone: Europe/Berlin
      active: true
  work_pool:
    name: pool
`;

function indented(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, " ".repeat(by));
}

describe("appending to prefect.yaml", () => {
  const FILE = `# Ours
definitions:
  pool: &pool {name: "pool",   job_variables: {env: {A: 'yes'}}}   # kept as it is

deployments:
  # The first
  - name: old
    entrypoint: "flow.py:main"
    version: 1.10
    work_pool:
      <<: *pool   # merged
    # trailing thoughts

# after all
pull: []
`;

  it.for([
    [
      "behind the last item, before what follows it",
      FILE,
      FILE.replace("      <<: *pool   # merged\n", `$&${indented(WRITTEN, 2)}`),
    ],
    [
      "with the indentation of the list",
      "deployments:\n- name: old\n",
      `deployments:\n- name: old\n${WRITTEN}`,
    ],
    [
      "to a file that ends without a line break",
      "deployments:\n  - name: old",
      `deployments:\n  - name: old\n${indented(WRITTEN, 2)}`,
    ],
    ["to an empty list", "name: x\ndeployments: []\n", `name: x\ndeployments:\n${indented(WRITTEN, 2)}`],
    [
      "to a key without a value",
      "deployments:\n\npull: []\n",
      `deployments:\n${indented(WRITTEN, 2)}\npull: []\n`,
    ],
    [
      "to a file without the key",
      "# only\nname: x\n",
      `# only\nname: x\n\ndeployments:\n${indented(WRITTEN, 2)}`,
    ],
    [
      "to a list in brackets",
      "deployments: [{name: old}]   # short\n",
      "deployments: [{name: old}, { name: new, entrypoint: flow.py:main, schedules: [ { cron: 0 6 * * *, timezone: Europe/Berlin, active: true } ], work_pool: { name: pool } }]   # short\n",
    ],
  ] as const)("%s", ([, before, after], { expect }) => {
    expect(withEntry(before, ENTRY)).toBe(after);
  });

  it("quotes what YAML 1.1 would read otherwise", ({ expect }) => {
    const text = withEntry("name: x\n", {
      name: "yes",
      version: "1.10",
      tags: ["1:30", "a: b"],
      description: "two\nlines",
    });
    expect(text).toContain('name: "yes"');
    expect(text).toContain('version: "1.10"');
    expect(text).toContain('- "1:30"');
    expect(text).toContain("description: |-\n      two\n      lines\n");
  });
});

describe("bringing an item up to date", () => {
  const FILE = `deployments:
  - name: one   # the first
    # what it runs
    entrypoint: flow.py:main
    work_pool: {}   # to be chosen
    tags: ["a",  'b']

  - &two
    name: two
    entrypoint:
    parameters:
      count: 1
# end
`;

  it("changes only the keys that changed", ({ expect }) => {
    const entry = { name: "one", entrypoint: "flow.py:main", work_pool: { name: "pool" }, tags: ["a", "b"] };
    expect(withEntry(FILE, entry, 0)).toBe(FILE.replace("work_pool: {}", "work_pool: { name: pool }"));
  });

  it("puts new keys behind the others, and fills those that are empty", ({ expect }) => {
    const entry = {
      name: "two",
      entrypoint: "flow.py:two",
      parameters: { count: 2 },
      work_pool: { name: "pool" },
    };
    expect(withEntry(FILE, entry, 1)).toBe(
      FILE.replace("entrypoint:\n", "entrypoint: flow.py:two\n").replace(
        "count: 1\n",
        "count: 2\n    work_pool:\n      name: pool\n",
      ),
    );
  });

  it("changes mappings key by key, also in braces", ({ expect }) => {
    const file = `deployments:
  - name: null   # yours
    work_pool:
      name: null   # which
      job_variables: {env: {A: '1'}}   # kept
`;
    const pool = { name: "pool", job_variables: { env: { A: "1" }, cpu: 2 } };
    expect(withEntry(file, { name: "new", entrypoint: "flow.py:main", work_pool: pool }, 0))
      .toBe(`deployments:
  - name: new   # yours
    work_pool:
      name: pool   # which
      job_variables: {env: {A: '1'}, cpu: 2}   # kept
    entrypoint: flow.py:main
`);
  });

  it("refuses what it cannot change in place, and says what to write", ({ expect }) => {
    expect(() => withEntry("deployments: {a: b}\n", ENTRY)).toThrow(/could not be written into the file/);
    expect(() => withEntry("x: &x {name: a}\ndeployments: [*x]\n", ENTRY, 0)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("- name: new") }),
    );
  });
});
