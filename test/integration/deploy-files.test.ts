import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, it } from "vitest";
import { parse } from "yaml";

const run = promisify(execFile);
const deploy = fileURLToPath(new URL("../../deploy", import.meta.url));
// Made by .ci/run from test/support/manifests.
const checker = fileURLToPath(new URL("../../.venvs/bin/manifests", import.meta.url));
// What ignores SIGTERM is killed 10 s after the drain; then come the last reports (test/component/worker/shutdown.test.ts).
const AFTER_THE_DRAIN_S = 30;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "deploy-files-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What an API server or `docker compose config` would say: null when all is well. */
async function problemsOf(path: string): Promise<string | null> {
  const env = { PATH: process.env["PATH"], POSTGRES_PASSWORD: "secret" };
  return run(checker, [path], { env }).then(
    () => null,
    (error: { readonly stderr: string }) => error.stderr,
  );
}

async function edited(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(from, to));
}

describe("systemd units", () => {
  it.for([
    ["lighterman@.service", 30],
    ["lighterman-server.service", 20],
  ] as const)(
    "%s is valid, and hardened to an exposure of %i tenths",
    async ([name, exposure], { expect }) => {
      const unit = join(deploy, "systemd", name);
      const { stderr } = await run("systemd-analyze", ["verify", unit]);
      expect(stderr).toBe("");
      await run("systemd-analyze", ["security", "--offline=true", `--threshold=${exposure}`, unit]);
    },
  );

  it("the drain fits TimeoutStopSec", async ({ expect }) => {
    const unit = await readFile(join(deploy, "systemd/lighterman@.service"), "utf8");
    const drain = Number(/LIGHTERMAN_DRAIN_TIMEOUT=(\d+)s/.exec(unit)?.[1]);
    const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    expect(stop).toBeGreaterThan(drain + AFTER_THE_DRAIN_S);
  });
});

describe("Kubernetes manifests", () => {
  it.for(["base", "sidecar"])(
    "%s builds, has no unknown field and is restricted",
    async (name, { expect }) => {
      expect(await problemsOf(join(deploy, "kubernetes", name))).toBeNull();
    },
  );

  it("the overlay of the README builds", async ({ expect }) => {
    const readme = await readFile(join(deploy, "kubernetes/README.md"), "utf8");
    const overlay = /<<'END'\n([^]*?)\n {4}END/.exec(readme)?.[1]?.replaceAll(/^ {4}/gm, "") ?? "";
    const mine = await mkdtemp(join(directory, "my-workers-"));
    await writeFile(join(mine, "kustomization.yaml"), overlay.replace("../deploy", relative(mine, deploy)));
    expect(await problemsOf(mine)).toBeNull();
  });

  it("mistakes are found: an unknown field, a privilege, a selector of nothing", async ({ expect }) => {
    const base = join(directory, "base");
    await cp(join(deploy, "kubernetes/base"), base, { recursive: true });
    await edited(join(base, "deployment.yaml"), "drop: [ALL]", "drop: []");
    await edited(
      join(base, "disruption-budget.yaml"),
      "app.kubernetes.io/name: lighterman",
      "app: lighterman",
    );
    const problems = await problemsOf(base);
    expect(problems).toMatch(/Deployment lighterman: unrestricted capabilities/);
    expect(problems).toMatch(/PodDisruptionBudget lighterman: its selector selects no pod/);
    await edited(join(base, "deployment.yaml"), "readOnlyRootFilesystem", "readOnlyRootFileSystem");
    expect(await problemsOf(base)).toMatch(/unknown field ".*readOnlyRootFileSystem"/);
  });

  it.for(["base", "sidecar"])("the drain fits the grace period of %s", async (name, { expect }) => {
    const of = async (file: string): Promise<string> =>
      readFile(join(deploy, "kubernetes", name, file), "utf8");
    const drain = Number(/LIGHTERMAN_DRAIN_TIMEOUT=(\d+)s/.exec(await of("kustomization.yaml"))?.[1]);
    const { spec } = parse(await of("deployment.yaml"));
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(drain + AFTER_THE_DRAIN_S);
  });
});

describe("the sidecar", () => {
  it("listens where its probes ask, and not where an application is likely to", async ({ expect }) => {
    const of = async (file: string): Promise<string> =>
      readFile(join(deploy, "kubernetes/sidecar", file), "utf8");
    const port = Number(/PREFECT_WORKER_WEBSERVER_PORT=(\d+)/.exec(await of("kustomization.yaml"))?.[1]);
    const [worker] = parse(await of("deployment.yaml")).spec.template.spec.initContainers;
    expect(worker.ports).toEqual([{ name: "health", containerPort: port }]);
    for (const probe of [worker.startupProbe, worker.livenessProbe])
      expect(probe.httpGet).toEqual({ path: "/livez", port: "health" });
    expect([80, 3000, 5000, 8000, 8080, 8443]).not.toContain(port);
  });
});

describe("compose file", () => {
  const file = join(deploy, "compose/compose.yaml");

  it("is valid, and a mistake is found", async ({ expect }) => {
    expect(await problemsOf(file)).toBeNull();
    const broken = join(directory, "compose.yaml");
    await cp(file, broken);
    await edited(broken, "stop_grace_period", "stop_grace_periods");
    expect(await problemsOf(broken)).toMatch(/stop_grace_periods/);
  });

  it("each waits until what it needs is healthy", async ({ expect }) => {
    const { services } = parse(await readFile(file, "utf8"), { merge: true });
    const needs = (name: string): unknown => services[name].depends_on;
    expect(needs("server")).toEqual({ postgres: { condition: "service_healthy" } });
    for (const name of ["worker-1", "worker-2"])
      expect(needs(name)).toEqual({ server: { condition: "service_healthy" } });
    // Those of the workers are the image's.
    expect(services.postgres.healthcheck.test).toContain("127.0.0.1");
    expect(services.server.healthcheck.test.join(" ")).toContain("http://127.0.0.1:4200/api/health");
  });

  it("the drain fits the grace period, and each worker has a journal of its own", async ({ expect }) => {
    const { services } = parse(await readFile(file, "utf8"), { merge: true });
    const workers = [services["worker-1"], services["worker-2"]];
    expect(workers.filter(({ build }) => build !== undefined)).toHaveLength(1);
    for (const { image } of workers) expect(image).toBe(services["worker-1"].image);
    for (const { environment, stop_grace_period: grace } of workers) {
      expect(environment.LIGHTERMAN_DRAIN_TIMEOUT).toBe("60s");
      expect(grace).toBe("2m");
    }
    expect(workers.map(({ volumes }) => volumes)).toEqual([
      ["worker-1:/var/lib/lighterman"],
      ["worker-2:/var/lib/lighterman"],
    ]);
  });
});
