import { describe, it } from "vitest";

import { parseJson } from "../json/parse.ts";
import { Float } from "../json/value.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "./default-job-template.ts";
import { TemplateError } from "./errors.ts";
import { environmentStrings, mergeJobConfiguration } from "./job-configuration.ts";
import { prepareName } from "./run-name.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { MergedJobConfiguration } from "./job-configuration.ts";

function merge(
  deployment: JsonObject | null,
  run: JsonObject | null = null,
  base = PROCESS_BASE_JOB_TEMPLATE,
): MergedJobConfiguration {
  return mergeJobConfiguration({
    baseJobTemplate: base,
    deploymentJobVariables: deployment,
    flowRunJobVariables: run,
    env: { W: "worker" },
  });
}

function template(job_configuration: JsonObject, defaults: JsonObject = {}): JsonObject {
  const properties = Object.fromEntries(
    Object.entries(defaults).map(([key, value]) => [key, { default: value }]),
  );
  return { job_configuration, variables: { type: "object", properties } };
}

describe("mergeJobConfiguration", () => {
  it("takes the defaults of a fresh process pool", ({ expect }) => {
    expect(merge(null).configuration).toEqual({ stream_output: true });
  });

  it("lays env variable by variable: template, default, deployment, run", ({ expect }) => {
    const base = template(
      { env: { A: "own", B: "own", C: "own", D: "{{ $W }}", X: "{{ x }}" } },
      { env: { B: "default", C: "default" } },
    );
    const { configuration } = merge(
      { env: { C: "dep", N: null, R: "{{ prefect.blocks.secret.s }}" }, x: 1 },
      { env: { E: true } },
      base,
    );
    expect(configuration).toEqual({
      env: {
        A: "own",
        B: "default",
        C: "dep",
        D: "worker",
        X: 1,
        N: null,
        R: "{{ prefect.blocks.secret.s }}",
        E: true,
      },
    });
  });

  it("replaces everything but env as a whole", ({ expect }) => {
    const { configuration } = merge(
      { labels: { a: "1" }, env: { A: "1" }, command: "a" },
      { labels: { b: "2" }, env: { B: "2" } },
    );
    expect(configuration).toEqual({
      labels: { b: "2" },
      env: { A: "1", B: "2" },
      command: "a",
      stream_output: true,
    });
  });

  it("nests keys with dots, and lets the nested spelling win", ({ expect }) => {
    const { variables } = merge(
      { "env.A": 1, "env.B": 1, "cfg[x].y": new Float(2) },
      { env: { B: 2 }, "cfg.z": null },
    );
    expect(variables).toEqual({
      stream_output: true,
      env: { A: 1, B: 2 },
      cfg: { x: { y: new Float(2) }, z: null },
    });
    expect(() => merge({ "a.b": 1, "a.b.c": 2 })).toThrow(
      'job variable "a.b.c": "b" holds a value of type int already',
    );
  });

  it("gives the variables that the template does not name", ({ expect }) => {
    const { variables, configuration } = merge({ engine: "warm", pull: [{ x: "{{ y }}" }] });
    expect(variables).toEqual({ engine: "warm", pull: [{ x: "{{ y }}" }], stream_output: true });
    expect(configuration).toEqual({ stream_output: true });
  });

  it("takes a null default for none, but a null given for a value", ({ expect }) => {
    const base = template({ a: "{{ a }}", b: "{{ b }}", c: "{{ c }}" }, { a: null, b: 1, c: 0 });
    expect(merge({ b: null }, null, base).configuration).toEqual({ b: null, c: 0 });
  });

  it.for([
    [{}, {}, {}],
    [{ variables: {} }, {}, {}],
    [{ job_configuration: {} }, {}, {}],
    [template({ env: {} }, { env: "text" }), {}, {}],
    [template({ env: {} }), { env: "text" }, {}],
    [template({}), { env: {} }, { env: null }],
  ] as [JsonObject, JsonObject, JsonObject][])(
    "refuses %j with %j and %j",
    ([base, deployment, run], { expect }) => {
      expect(() => merge(deployment, run, base)).toThrow(TemplateError);
    },
  );

  it("changes none of its inputs and pollutes no prototype", ({ expect }) => {
    const inputs = [
      PROCESS_BASE_JOB_TEMPLATE,
      parseJson(
        '{"env": {"A": "1"}, "__proto__.polluted": 1, "x.__proto__.polluted": 1, "constructor.prototype.polluted": 1}',
      ),
      parseJson('{"env": {"B": "2"}, "x": {"__proto__": {"polluted": 1}}}'),
    ] as JsonObject[];
    const before = JSON.stringify(inputs);
    const [base = {}, deployment = {}, run = {}] = inputs;
    const { variables, configuration } = merge(deployment, run, base);
    expect(configuration["env"]).toEqual({ A: "1", B: "2" });
    expect(Object.getPrototypeOf(variables)).toBe(Object.prototype);
    expect(Object.keys(variables)).toContain("__proto__");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(JSON.stringify(inputs)).toBe(before);
  });
});

it("turns env values into Prefect's texts", ({ expect }) => {
  const env: Json = { A: 1, B: true, C: null, D: new Float(1), E: "x", F: [1, "a"], G: 2n ** 64n };
  expect(environmentStrings(env)).toEqual({
    A: "1",
    B: "True",
    C: null,
    D: "1.0",
    E: "x",
    F: "[1, 'a']",
    G: "18446744073709551616",
  });
  expect(environmentStrings(undefined)).toEqual({});
  expect(() => environmentStrings("A=1")).toThrow(TemplateError);
});

it.for([
  [undefined, "happy-run"],
  ["", "happy-run"],
  ["plain", "plain"],
  ["{{ ctx.flow.name }}-{{ ctx.flow_run.id }}", "my-flow-7"],
  ["{{ ctx.nope }}", "{{ ctx.nope }}"],
  ["x{{ ctx.nope }}", "x"],
  ["{{ $NOPE }}", "happy-run"],
  ["{{ ctx.flow_run.tags }}", "['a']"],
] as [Json | undefined, string][])("names the infrastructure %j: %j", ([name, expected], { expect }) => {
  const context = { flow: { name: "my-flow" }, flowRun: { id: 7, name: "happy-run", tags: ["a"] }, env: {} };
  expect(prepareName(name, context)).toBe(expected);
});
