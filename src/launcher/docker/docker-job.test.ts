import { describe, it } from "vitest";

import { DOCKER_BASE_JOB_TEMPLATE } from "../../templating/docker-job-template.ts";
import { planContainer } from "./container-body.ts";
import { readDockerJob } from "./docker-job.ts";

import type { JsonObject } from "../../json/value.ts";

const API = "http://127.0.0.1:4200/api";

function plan(configuration: JsonObject, env: Record<string, string> = { PREFECT_API_URL: API }) {
  const job = readDockerJob(configuration, "/srv/worker");
  const container = { configuration, name: "calm otter", labels: { "prefect.io/flow-run-id": "1" } };
  return planContainer({ command: ["run"], env, attempt: "a-1" }, container, job);
}

describe("a docker job", () => {
  it("resolves relative volumes against the worker's directory and keeps the others", ({ expect }) => {
    const volumes = [".:/a", "./b:/b:ro", "../c:/c", "/d:/d:rw", "named:/e", "/only"];
    expect(readDockerJob({ volumes }, "/srv/worker").volumes).toEqual([
      "/srv/worker:/a",
      "/srv/worker/b:/b:ro",
      "/srv/c:/c",
      "/d:/d:rw",
      "named:/e",
      "/only",
    ]);
  });

  it.for([
    ["/a:b", /must be absolute/],
    ["$(pwd):/a", /neither a path nor the name of a volume/],
    ["/a:/b:z", /z is neither ro nor rw/],
    ["a", /it is not HOST:CONTAINER/],
  ] as const)("refuses the volume %s", ([volume, problem], { expect }) => {
    expect(() => readDockerJob({ volumes: [volume] }, "/")).toThrow(problem);
  });

  it("takes nulls and texts as Prefect does, and names a field that cannot be used", ({ expect }) => {
    const nulls = { image: null, networks: null, auto_remove: "true", privileged: null, mem_limit: null };
    expect(readDockerJob(nulls, "/")).toMatchObject({
      image: "prefecthq/prefect:3-latest",
      networks: [],
      auto_remove: true,
      privileged: false,
    });
    expect(() => readDockerJob({ image_pull_policy: "Sometimes" }, "/")).toThrow(
      /image_pull_policy cannot be used/,
    );
  });

  it("takes what the default template has a placeholder for", ({ expect }) => {
    const { job_configuration: configuration } = DOCKER_BASE_JOB_TEMPLATE;
    expect(Object.keys(configuration as JsonObject)).toEqual(
      expect.arrayContaining(["image", "networks", "volumes", "container_create_kwargs"]),
    );
  });
});

describe("a container's networks", () => {
  it("are the host's for an API of this machine, unless the job says otherwise", ({ expect }) => {
    const mode = (configuration: JsonObject, url = API): unknown =>
      (plan(configuration, { PREFECT_API_URL: url }).body["HostConfig"] as JsonObject)["NetworkMode"];
    expect(mode({})).toBe("host");
    expect(mode({}, "http://prefect:4200/api")).toBe("default");
    expect(mode({ network_mode: "bridge" })).toBe("bridge");
    expect(mode({ networks: ["first", "second"], network_mode: "bridge" })).toBe("first");
  });

  it("are one at the creation, the others later", ({ expect }) => {
    const kwargs = { networking_config: { first: { Aliases: ["me"] } } };
    const { body, furtherNetworks } = plan({
      networks: ["first", "second"],
      container_create_kwargs: kwargs,
    });
    expect(body["NetworkingConfig"]).toEqual({ EndpointsConfig: { first: { Aliases: ["me"] } } });
    expect(furtherNetworks).toEqual(["second"]);
  });

  it("know the host by name where the API may be on it, and the job's own hosts", ({ expect }) => {
    const hosts = (configuration: JsonObject, env: Record<string, string>): unknown =>
      (plan(configuration, env).body["HostConfig"] as JsonObject)["ExtraHosts"];
    expect(hosts({}, {})).toEqual(["host.docker.internal:host-gateway"]);
    expect(hosts({}, { PREFECT_API_URL: "https://api.prefect.cloud/api" })).toEqual([]);
    const extra = { extra_hosts: ["host.docker.internal:10.0.0.1", "db:10.0.0.2"] };
    expect(hosts({ container_create_kwargs: extra }, {})).toEqual([
      "host.docker.internal:10.0.0.1",
      "db:10.0.0.2",
    ]);
    expect(hosts({ network_mode: "container:other" }, {})).toBeUndefined();
  });

  it("and its labels turn Prefect's around and name the attempt", ({ expect }) => {
    expect(plan({ auto_remove: true }).body["Labels"]).toEqual({
      "io.prefect.flow-run-id": "1",
      "io.lighterman.attempt": "a-1",
      "io.lighterman.auto-remove": "true",
    });
  });
});
