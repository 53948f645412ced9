import { parseJson } from "../../../src/json/parse.ts";
import { Float } from "../../../src/json/value.ts";
import { BLOCKS, ENV, VARIABLES } from "./data.ts";

import type { Json } from "../../../src/json/value.ts";
import type { TemplatingCase } from "./data.ts";

/** Job configurations, environments and names picked by hand. */
export function pickedJobCases(): TemplatingCase[] {
  return [...jobCases(), ...environmentCases(), ...nameCases()];
}

function jobCases(): TemplatingCase[] {
  const own: Json = {
    command: "{{ command }}",
    env: "{{ env }}",
    labels: "{{ labels }}",
    name: "{{ name }}",
    stream_output: "{{ stream_output }}",
    image: "{{ registry }}/{{ image }}:{{ tag }}",
  };
  const merging: Json = {
    env: { A: "own", B: "{{ b }}", C: "{{ $HOME }}", 1: "one" },
    list: ["{{ x }}", "{{ b }}"],
    cfg: { deep: "{{ cfg.a.b }}" },
    all: "{{ env }}",
  };
  const schema: Json = {
    type: "object",
    properties: {
      env: { default: { A: "default", D: 1, E: null } },
      stream_output: { default: true },
      name: { default: null },
      tag: { default: "latest" },
      x: {},
      cfg: { default: { a: { b: 1, c: 2 } } },
    },
  };
  const bare: Json = { properties: {} };
  const deployments: Json[] = [
    null,
    {},
    { env: { A: "dep", F: "{{ $HOME }}", G: new Float(1) }, command: "run {{ x }}" },
    { env: {} },
    { env: null },
    { env: "text" },
    { "env.A": "dotted", "env.Z": 1 },
    { "env.A": "dotted", env: { Y: "plain" } },
    { "cfg.a.b": 9, "cfg.a.d": new Float(2) },
    { "cfg.a.b": 9, cfg: { a: { b: 10 } } },
    { "cfg.a": 1, "cfg.a.b": 2 },
    { "cfg.a.b": 2, "cfg.a": 1 },
    { "cfg[a].b": 3, ".x": 1, "y.": 2, "a..b": 3 },
    { "cfg[a]": 3 },
    { "cfg.a": null, "cfg.a.b": 1 },
    { "cfg.a.b": 1, cfg: 5 },
    {
      b: "{{ prefect.blocks.secret.str }}",
      x: "{{ prefect.variables.num }}",
      name: "n-{{ prefect.blocks.secret.num }}-{{ prefect.variables.f }}",
    },
    { b: "{{ prefect.blocks.secret.nope }}" },
    { image: "img", registry: null, tag: new Float(1) },
    { stream_output: false, labels: { l: "{{ a }}" } },
    parseJson('{"__proto__": {"env": 1}, "env.__proto__.x": "y", "b": "ok"}'),
    { name: "{{ ctx.flow.name }}-x", x: [1, { $ref: { block_document_id: "id-plain" } }] },
  ];
  const runs: Json[] = [
    null,
    {},
    { env: { A: "run", H: true } },
    { env: null },
    { env: "text" },
    { env: {}, command: "c" },
    { "env.A": "run-dotted" },
    { tag: null, stream_output: "no", x: "{{ b }}" },
  ];
  const cases: TemplatingCase[] = [];
  for (const deployment of deployments) {
    for (const run of runs) {
      for (const [job_configuration, variables] of [
        [own, bare],
        [own, schema],
        [merging, bare],
        [merging, schema],
      ] as const) {
        cases.push({
          fn: "job",
          base: { job_configuration, variables },
          deployment,
          run,
          env: ENV,
          blocks: BLOCKS,
          variables: VARIABLES,
        });
      }
    }
  }
  const odd: Json[] = [
    {},
    { job_configuration: {} },
    { variables: {} },
    { job_configuration: {}, variables: {} },
    { job_configuration: { env: {} }, variables: { properties: { env: { default: "text" } } } },
    { job_configuration: { env: "{{ env }}" }, variables: { properties: { env: { default: "text" } } } },
    { job_configuration: { env: ["a"] }, variables: { properties: { env: { default: { A: "1" } } } } },
    {
      job_configuration: { env: { A: "{{ nope }}", B: "x{{ nope }}" } },
      variables: { properties: { env: { default: [] } } },
    },
    { job_configuration: {}, variables: { properties: { env: { default: { A: "1" } } } } },
    {
      job_configuration: { n: "{{ n }}", z: "{{ z }}", e: "{{ e }}", f: "{{ f }}" },
      variables: {
        properties: { n: { default: null }, z: { default: 0 }, e: { default: "" }, f: { default: false } },
      },
    },
  ];
  for (const base of odd) {
    for (const deployment of [{}, { env: { Q: "q" } }])
      cases.push({ fn: "job", base, deployment, run: {}, env: ENV });
  }
  return cases;
}

function environmentCases(): TemplatingCase[] {
  const envs: Json[] = [
    {},
    {
      A: 1,
      B: true,
      C: null,
      D: new Float(1),
      E: "x",
      F: [1, "a"],
      G: { k: null },
      H: 2n ** 64n,
      I: 0.1,
      J: "",
    },
    null,
    "text",
    [],
    [["a", "b"]],
    5,
  ];
  return envs.map((template) => ({ fn: "env", template }));
}

function nameCases(): TemplatingCase[] {
  const flow_run: Json = {
    id: "0b33f5a2",
    flow_id: "f1",
    name: "happy-run",
    parameters: { n: new Float(1), l: [1] },
    tags: [],
  };
  const flow: Json = { id: "f1", name: "my-flow" };
  const names = [
    "",
    "plain",
    "{{ ctx.flow.name }}",
    "{{ ctx.flow_run.name }}-x",
    "{{ ctx.nope }}",
    "x{{ ctx.nope }}",
    "{{ $HOME }}",
    "{{ $NOPE }}",
    "{{ ctx.flow_run.parameters }}",
    "p={{ ctx.flow_run.parameters }}",
    "{{ ctx.flow_run.tags }}",
    "{{ ctx.flow_run.parameters.l[0] }}",
    "{{ flow.name }}",
  ];
  return [null, ...names].map((template) => ({ fn: "name", template, flow, flow_run, env: ENV }));
}
