import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { DockerEngine } from "../support/docker-engine.ts";
import { makeBases } from "../support/lighterman-image.ts";
import { SystemdMachine } from "../support/systemd-machine.ts";

const readme = new URL("../../deploy/systemd/README.md", import.meta.url);
const unit = "lighterman@my-pool";
const opened = new AsyncDisposables();
let machine: SystemdMachine;

// A program as flow run, that takes six seconds once it has said who it is.
const PROJECT = `
mkdir -p /srv/project && cd /srv/project
cat > flow.py <<'END'
from prefect import flow

@flow
def nap(): ...
END
cat > prefect.yaml <<'END'
deployments:
  - name: nap
    flow_name: nap
    entrypoint: flow.py:nap
    pull: []
    work_pool:
      name: my-pool
      job_variables:
        engine: none
        command: sh -c "id -un; touch /usr/x || echo protected; sleep 6"
END
lighterman deploy --all --no-prompt
`;

beforeAll(async () => {
  const engine = opened.use(await DockerEngine.start());
  await makeBases(engine);
  machine = await SystemdMachine.start(engine);
}, 600_000);
afterAll(() => opened.dispose());

/** Lays these settings over those of the unit, in place of those that were laid over it before. */
async function dropIn(of: string, ...settings: readonly string[]): Promise<void> {
  const lines = ["[Service]", ...settings].map((line) => `'${line}'`).join(" ");
  const directory = `/run/systemd/system/${of}.service.d`;
  await machine.sh(
    `mkdir -p ${directory}; printf '%s\\n' ${lines} > ${directory}/test.conf; systemctl daemon-reload`,
  );
}

async function mainPid(): Promise<string> {
  return machine.show(unit, "MainPID");
}

/** Waits until another process than that one has told that it is ready. */
async function restarted(pid: string): Promise<void> {
  await until("the unit is started again", async () => {
    const [state, now] = await Promise.all([machine.show(unit, "ActiveState"), mainPid()]);
    return state === "active" && now !== pid && now !== "0";
  });
}

it("is installed and started by the lines of its README, and tells systemd when it is ready", async () => {
  const text = await readFile(readme, "utf8");
  // Without the first: the package is in the image.
  const lines = /^ {4}useradd[^]*?(?=\n\n)/m.exec(text)?.[0];
  await machine.sh(lines ?? "false");
  expect(await machine.show(unit, "ActiveState")).toBe("active");
  await until("the worker tells what it does", async () =>
    /my-pool/.test(await machine.show(unit, "StatusText")),
  );
  expect(await machine.sh("lighterman work-pool ls --json")).toContain("my-pool");
  // Offline analysis and other versions of systemd give other tenths.
  const bound = /`systemd-analyze security \S+` gives less than (\d+) \(OK\)/.exec(text)?.[1];
  const [, exposure] = /: ([\d.]+) OK/.exec(await machine.sh(`systemd-analyze security ${unit}`)) ?? [];
  expect(Number(exposure)).toBeLessThan(Number(bound));
});

it("serves a pool of any name by the README's drop-in", async () => {
  const start = /`(ExecStart=\S+ lighterman [^`]*"My pool")`/.exec(await readFile(readme, "utf8"))?.[1] ?? "";
  await dropIn("lighterman@named", "ExecStart=", start);
  await machine.sh("systemctl start lighterman@named");
  expect(await machine.sh("lighterman work-pool ls --json")).toContain('"My pool"');
  await machine.sh("systemctl stop lighterman@named");
  expect(await machine.show("lighterman@named", "Result")).toBe("success");
});

it("runs flows as its user on a protected system; `systemctl stop` drains, also for longer than TimeoutStopSec", async () => {
  await machine.sh(PROJECT);
  await machine.sh("lighterman deployment run nap/nap --name the-nap");
  const log = (): Promise<string> => machine.sh("lighterman flow-run logs the-nap || true");
  await until("the flow run sleeps", async () => /lighterman\n[^]*protected/.test(await log()));
  await dropIn(unit, "TimeoutStopSec=1");
  const since = performance.now();
  await machine.sh(`systemctl stop ${unit}`);
  expect(performance.now() - since).toBeGreaterThan(1500);
  expect(await machine.show(unit, "Result")).toBe("success");
  expect(await machine.show(unit, "ExecMainStatus")).toBe("0");
  expect(await machine.sh(`journalctl --output cat --unit ${unit}`)).toMatch(
    /no new flow runs; waiting up to 60 s for 1/,
  );
  expect(await machine.sh("lighterman flow-run inspect the-nap --json")).toContain('"COMPLETED"');
});

it("is started again after `kill -9`, and when it hangs", async () => {
  await dropIn(unit, "RestartSec=0", "WatchdogSec=2");
  await machine.sh(`systemctl start ${unit}`);
  const first = await mainPid();
  await machine.sh(`kill -9 ${first}`);
  await restarted(first);
  const second = await mainPid();
  await machine.sh(`kill -STOP ${second}`);
  await restarted(second);
  expect(await machine.sh(`journalctl --output cat --unit ${unit}`)).toMatch(/Watchdog timeout/);
  expect(Number(await machine.show(unit, "NRestarts"))).toBe(2);
});
