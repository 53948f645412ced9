import type { Json, JsonObject } from "../../../src/json/value.ts";

export interface StepsCase {
  readonly name: string;
  readonly steps: Json;
  readonly blocks?: JsonObject;
  readonly variables?: JsonObject;
  readonly env?: Readonly<Record<string, string>>;
  readonly entrypoint?: string;
  readonly path?: string;
  /** A named difference: we find the mistake before anything runs, so there are no log lines and events to compare. */
  readonly isRefusedEarly?: boolean;
}

const SHELL = "prefect.deployments.steps.run_shell_script";
const CHDIR = "prefect.deployments.steps.set_working_directory";

const shell = (script: string, more: JsonObject = {}): JsonObject => ({ [SHELL]: { script, ...more } });
const chdir = (directory: string): JsonObject => ({ [CHDIR]: { directory } });
const own = (name: string, inputs: JsonObject = {}): JsonObject => ({ [`own_steps.${name}`]: inputs });

/** Written into each workspace; both sides call these as custom steps. */
export const FILES: Readonly<Record<string, string>> = {
  "own_steps.py": `
import os, pathlib, sys, warnings

def give(**values):
    return values

async def give_later(**values):
    return values

def give_list():
    return [1, 2]

def give_nothing():
    pass

def give_path(to):
    return {"directory": pathlib.Path(to)}

def go(to, **values):
    os.chdir(to)
    return values or None

def set_env(**values):
    os.environ.update(values)

def unset_env(name):
    del os.environ[name]

def add_path(*, entry):
    sys.path.insert(1, entry)

def warn(text):
    warnings.warn(text, DeprecationWarning)
    warnings.warn(text, DeprecationWarning)
    return {}

def boom(text):
    raise RuntimeError(text)
`,
  "sub/deep/marker.txt": "deep\n",
  "lib/marker.txt": "lib\n",
  "code/flow.py": "# the flow\n",
};

/** Lists of steps, run by Prefect and by us. */
export const CASES: readonly StepsCase[] = [
  { name: "one command", steps: [shell("echo one")] },
  { name: "empty items", steps: [{}, shell("echo one"), {}] },
  {
    name: "outputs by id and by bare name",
    steps: [
      shell("echo one", { id: "a" }),
      shell("echo two", { id: "b-c" }),
      shell("echo '{{ a.stdout }} {{ b-c.stdout }} {{ stdout }} {{ none }}.'", { id: "d" }),
    ],
  },
  {
    name: "an unset whole placeholder drops its input",
    steps: [own("give", { kept: 1, gone: "{{ nothing }}", list: ["{{ nothing }}", "x{{ nothing }}"] })],
  },
  {
    name: "typed values between steps",
    steps: [
      own("give", { id: "v", number: 1.5, flag: true, none: null, list: [1, { a: "b" }], text: "t" }),
      own("give_later", {
        n: "{{ v.number }}",
        l: "{{ v.list }}",
        a: "{{ v.list[1].a }}",
        s: "{{ v.list }} {{ v.none }}",
      }),
    ],
  },
  {
    name: "blocks, variables and the environment",
    steps: [
      own("give", {
        token: "{{ prefect.blocks.secret.token }}",
        key: "{{ prefect.blocks.aws-credentials.mine.aws_access_key_id }}",
        whole: "{{ prefect.blocks.aws-credentials.mine }}",
        inline: "Bearer {{ prefect.blocks.secret.token }}",
        variable: "{{ prefect.variables.region }}",
        missing: "{{ prefect.variables.nope }}",
        env: "{{ $WHO }}",
        unset: "{{ $NOPE }}",
      }),
    ],
    blocks: {
      "secret/token": { value: "s3cret" },
      "aws-credentials/mine": { aws_access_key_id: "AK", x: [1] },
    },
    variables: { region: "eu", nested: { a: 1 } },
    env: { WHO: "me" },
  },
  {
    name: "the environment fills what blocks and variables brought",
    steps: [
      own("give", { a: "{{ prefect.variables.v }}", b: "{{ prefect.blocks.secret.t }}", c: "{{ WHO }}" }),
    ],
    blocks: { "secret/t": { value: "x {{ $WHO }} {{ WHO }}" } },
    variables: { v: "{{ WHO }}" },
    env: { WHO: "me" },
  },
  { name: "a missing block", steps: [own("give", { a: "{{ prefect.blocks.secret.nope }}" })] },
  {
    name: "reserved inputs stay away from the step",
    steps: [own("give", { id: "x", requires: "json", a: 1 })],
  },
  { name: "a directory by set_working_directory", steps: [chdir("sub"), chdir("deep"), shell("pwd")] },
  { name: "a directory upwards", steps: [chdir("sub/deep"), chdir("..")] },
  { name: "a missing directory", steps: [chdir("nope")] },
  { name: "an absolute directory", steps: [chdir("/usr"), shell("pwd")] },
  { name: "a home directory is not expanded", steps: [chdir("~")] },
  { name: "a returned directory does not move", steps: [own("give", { directory: "sub" }), shell("pwd")] },
  { name: "the last directory wins", steps: [own("give", { directory: "sub" }), chdir("lib")] },
  {
    name: "a directory counts from where the step ended",
    steps: [chdir("sub"), own("give", { directory: "deep" }), shell("pwd")],
  },
  { name: "moving selects", steps: [own("go", { to: "sub" })] },
  {
    name: "moving selects over an earlier directory",
    steps: [chdir("lib"), own("go", { to: "../sub", a: 1 })],
  },
  { name: "a returned directory beats moving", steps: [own("go", { to: "sub", directory: ".." })] },
  { name: "an empty directory counts as none", steps: [own("go", { to: "sub", directory: "" })] },
  { name: "a home directory in an output", steps: [own("give", { directory: "~/sub" })] },
  { name: "a path object as directory", steps: [own("give_path", { to: "lib" })] },
  { name: "a selected directory that is missing", steps: [own("give", { directory: "nope" })] },
  { name: "a directory that is a number", steps: [own("give", { directory: 5 })] },
  { name: "no mapping, no outputs, no event", steps: [own("give_list", { id: "l" }), own("give_nothing")] },
  {
    name: "changes of the environment",
    steps: [
      own("set_env", { ADDED: "yes", PATH: "/changed", PREFECT_API_URL: "http://x" }),
      own("unset_env", { name: "OLD" }),
      own("give", { added: "{{ $ADDED }}", old: "{{ $OLD }}", path: "{{ $PATH }}" }),
      shell("/bin/sh -c 'echo $ADDED $OLD'"),
    ],
    env: { OLD: "1" },
  },
  {
    name: "additions to the import path",
    steps: [own("add_path", { entry: "/opt/lib" }), own("give", { a: 1 })],
  },
  { name: "warnings", steps: [own("warn", { text: "old way" })] },
  { name: "a step that raises", steps: [shell("echo one"), own("boom", { text: "no" }), shell("echo two")] },
  { name: "a missing module", steps: [{ "no_module.step": {} }] },
  { name: "a missing function", steps: [own("nope")] },
  { name: "a wrong input", steps: [own("boom", { text: "x", more: 1 })] },
  { name: "a second key", isRefusedEarly: true, steps: [{ [SHELL]: { script: "echo" }, more: {} }] },
  { name: "lines are processes of their own", steps: [shell("echo a\n\n  echo   b  \n\techo 'c  d'\n")] },
  { name: "no shell", steps: [shell("echo $WHO | cat && echo *", {})], env: { WHO: "me" } },
  {
    name: "a shell",
    steps: [shell("  echo $WHO | tr a-z A-Z && echo x >&2 \n cd sub\npwd", { shell: true })],
    env: { WHO: "me" },
  },
  {
    name: "expanded variables",
    steps: [
      shell('echo $WHO ${WHO} $$WHO $NOPE "${MORE}" $1', { expand_env_vars: true, env: { MORE: "a b" } }),
    ],
    env: { WHO: "me" },
  },
  {
    name: "the env input",
    steps: [shell("sh -c 'echo $A $WHO'", { env: { A: "1", WHO: "you" } })],
    env: { WHO: "me" },
  },
  { name: "env that is no text", steps: [shell("echo", { env: { A: 1 } })] },
  { name: "a directory for the script", steps: [shell("pwd\nls", { directory: "sub/deep" })] },
  { name: "a missing directory for the script", steps: [shell("pwd", { directory: "nope" })] },
  { name: "an empty directory for the script", steps: [shell("pwd", { directory: "" })] },
  { name: "quoting", steps: [shell(`printf '%s|' a\\ b "c \\"d\\" \\e" 'f\\g' h"i"j ''`)] },
  { name: "an open quote", steps: [shell("echo 'a")] },
  { name: "a script that fails", steps: [shell("echo a\nsh -c 'echo b >&2; exit 3'\necho c")] },
  { name: "a signal", steps: [shell("sh -c 'kill -9 $$'")] },
  { name: "a missing program", steps: [shell("no-such-program-here")] },
  { name: "a builtin of shells", steps: [shell("cd sub")] },
  {
    name: "stderr and white space",
    steps: [shell("sh -c 'echo; echo \" a \"; echo b >&2; echo'", { stream_output: false })],
  },
  { name: "an unknown input", steps: [shell("echo", { colour: "red" })] },
  { name: "a script that is a number", steps: [{ [SHELL]: { script: 5 } }] },
  { name: "a script that is unset", steps: [{ [SHELL]: { script: "{{ nope }}" } }] },
  {
    name: "other module paths",
    steps: [
      { "prefect.deployments.steps.utility.run_shell_script": { script: "echo a", id: "a" } },
      { "prefect.deployments.steps.pull.set_working_directory": { directory: "sub" } },
      { "prefect.deployments.steps:run_shell_script": { script: "echo {{ a.stdout }}" } },
    ],
  },
  {
    name: "the deployment's path as fallback",
    steps: [shell("echo a")],
    entrypoint: "flow.py:main",
    path: "code",
  },
  {
    name: "no fallback where the entrypoint is",
    steps: [shell("touch here.py")],
    entrypoint: "here.py:main",
    path: "code",
  },
  {
    name: "no fallback for a path without the entrypoint",
    steps: [shell("echo")],
    entrypoint: "no.py:main",
    path: "code",
  },
  { name: "no steps, no path", steps: [] },
  { name: "no steps, a path", steps: [], path: "code", entrypoint: "flow.py:main" },
];
