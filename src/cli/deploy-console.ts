import { styleText } from "node:util";

import { WorkerError } from "../errors.ts";
import { stringifyJson } from "../json/stringify.ts";
import { creationBody } from "../project/deployment-body.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { DeployOutcome, DeployReport } from "../project/deploy.ts";
import type { Change } from "../project/deployment-changes.ts";
import type { Io } from "./io.ts";

export interface DeployConsoleOptions {
  readonly io: Pick<Io, "stdout" | "stderr">;
  /** One JSON document at the end instead of words. */
  readonly json: boolean;
  /** Masks secrets. */
  readonly redact: (text: string) => string;
  /** Root of the server's web pages. */
  readonly uiUrl: string;
  /** Whether a worker is there for a pool; asked once per pool. */
  readonly hasWorker: (workPoolName: string) => Promise<boolean>;
}

const LONGEST_VALUE = 100;

/** Shows a deploy: what happens goes to standard error, what came of it to standard output. */
export class DeployConsole implements DeployReport {
  readonly #options: DeployConsoleOptions;
  #total = 0;
  #done = 0;
  #registered = 0;
  readonly #notes = new Set<string>();
  #isProgressShown = false;

  constructor(options: DeployConsoleOptions) {
    this.#options = options;
  }

  output(line: string): void {
    this.#say(line);
  }

  warning(message: string): void {
    this.#say(this.#colored("yellow", `Warning: ${message}`));
  }

  /** What holds for many deployments alike is said once. */
  note(message: string): void {
    if (this.#total > 1 && this.#notes.has(message)) return;
    this.#notes.add(message);
    this.#say(message);
  }

  /** Somebody has ended the deploy in the middle. */
  interrupted(): void {
    if (this.#total === 0) return;
    const rest = this.#total - this.#registered;
    this.#say(
      this.#colored(
        "yellow",
        `Interrupted: ${this.#registered} of ${this.#total} registered${rest > 0 ? "; the same command goes on with the others" : ""}.`,
      ),
    );
  }

  selected(labels: readonly string[]): void {
    this.#total = labels.length;
    if (labels.length > 1) this.#say(`Deploying ${labels.length} deployments…`);
  }

  begins(label: string): void {
    this.#showProgress(label);
  }

  ended(outcome: DeployOutcome): void {
    this.#done += 1;
    if (outcome.kind === "skipped")
      this.#say(this.#colored("yellow", `${outcome.label} is skipped: ${outcome.reason}`));
    if (outcome.kind === "failed" && this.#total > 1) {
      this.#say(this.#colored("red", `${outcome.label} failed: ${outcome.error.message}`));
    }
    if (isRegistered(outcome)) {
      this.#registered += 1;
      const { flowName, name } = outcome.plan;
      const what = outcome.kind === "unchanged" ? "is as declared already," : `successfully ${outcome.kind}`;
      this.#say(this.#colored("green", `Deployment '${flowName}/${name}' ${what} with id '${outcome.id}'.`));
    }
    if (this.#total > 1) this.#showProgress();
  }

  /** The result as a whole. Returns the exit status. */
  async conclude(outcomes: readonly DeployOutcome[]): Promise<number> {
    this.#clearProgress();
    const failed = outcomes.filter(({ kind }) => kind === "failed");
    if (this.#options.json) {
      this.#print(
        stringifyJson(
          outcomes.map((outcome) => shownAsJson(outcome)),
          2,
        ),
      );
    } else if (outcomes.some(({ kind }) => kind === "planned")) {
      for (const outcome of outcomes) this.#printPlan(outcome);
    } else {
      await this.#printHints(outcomes);
      if (outcomes.length > 1) this.#printSummary(outcomes);
    }
    return failed.length > 0 ? exitCodeOf(failed[0]) : 0;
  }

  #printPlan(outcome: DeployOutcome): void {
    if (outcome.kind !== "planned") return;
    const { flowName, name } = outcome.plan;
    const { changes, isNew } = outcome;
    const automations = outcome.plan.automations.length;
    const verb = isNew ? "would be created" : changes.length === 0 ? "is as declared" : "would be updated";
    this.#print(`Deployment '${flowName}/${name}' ${verb}${isNew || changes.length > 0 ? ":" : "."}`);
    for (const change of changes) for (const line of this.#changeLines(change)) this.#print(line);
    if (automations > 0) this.#print(`    its ${automations} trigger(s) would be registered anew`);
  }

  #changeLines({ field, from, to }: Change): readonly string[] {
    const plus = this.#colored("green", `  + ${field}: ${shorten(to)}`);
    if (from === undefined) return [plus];
    return [this.#colored("red", `  - ${field}: ${shorten(from)}`), plus];
  }

  async #printHints(outcomes: readonly DeployOutcome[]): Promise<void> {
    const { uiUrl, hasWorker } = this.#options;
    const registered = outcomes.filter((outcome) => isRegistered(outcome));
    const [only] = registered;
    if (outcomes.length === 1 && only !== undefined) {
      this.#print(`\nView Deployment in UI: ${uiUrl}/deployments/deployment/${only.id}`);
    }
    const pools = new Set<string>();
    for (const { preparation } of registered) {
      const pool = preparation?.workPool;
      if (pool !== undefined && !/:(?:push|managed)$/.test(pool.type)) pools.add(pool.name);
    }
    for (const pool of pools) {
      if (await hasWorker(pool)) continue;
      this.#print(
        `\nTo execute flow runs from these deployments, start a worker for the work pool '${pool}':`,
      );
      this.#print(this.#colored("blue", `\n\t$ lighterman worker start --pool '${pool}'`));
    }
    if (only !== undefined && registered.length === 1) {
      const { flowName, name } = only.plan;
      this.#print("\nTo schedule a run for this deployment, use the following command:");
      this.#print(this.#colored("blue", `\n\t$ lighterman deployment run '${flowName}/${name}'\n`));
    }
  }

  #printSummary(outcomes: readonly DeployOutcome[]): void {
    const count = (wanted: string): number => outcomes.filter(({ kind }) => kind === wanted).length;
    const parts = (["created", "updated", "unchanged", "skipped", "failed"] as const)
      .filter((kind) => count(kind) > 0)
      .map((kind) => `${count(kind)} ${kind}`);
    const missing = this.#total - outcomes.length;
    if (missing > 0) parts.push(`${missing} not tried`);
    this.#print(`\n${parts.join(", ")}.`);
    for (const outcome of outcomes) {
      if (outcome.kind !== "failed") continue;
      this.#print(this.#colored("red", `  ${outcome.label}: ${outcome.error.message}`));
      const hint = outcome.error instanceof WorkerError ? outcome.error.hint : undefined;
      if (hint !== undefined) this.#print(`    ${hint}`);
    }
  }

  /** One line that is written over again; only on a terminal. */
  #showProgress(label = ""): void {
    const { io, json } = this.#options;
    if (io.stderr.isTTY !== true || json || this.#total < 2 || this.#done === this.#total) return;
    io.stderr.write(`\r\u001B[2K${this.#done}/${this.#total} ${label}`);
    this.#isProgressShown = true;
  }

  #clearProgress(): void {
    if (this.#isProgressShown) this.#options.io.stderr.write("\r\u001B[2K");
    this.#isProgressShown = false;
  }

  #say(text: string): void {
    this.#clearProgress();
    this.#options.io.stderr.write(`${this.#options.redact(text)}\n`);
  }

  #print(text: string): void {
    this.#options.io.stdout.write(`${this.#options.redact(text)}\n`);
  }

  #colored(color: "red" | "green" | "yellow" | "blue", text: string): string {
    return this.#options.io.stderr.isTTY === true ? styleText(color, text) : text;
  }
}

function isRegistered(outcome: DeployOutcome): outcome is Extract<DeployOutcome, { readonly id: string }> {
  return "id" in outcome;
}

function shownAsJson(outcome: DeployOutcome): JsonObject {
  const { plan, label, kind } = outcome;
  return {
    name: plan?.name ?? label,
    flow_name: plan?.flowName ?? null,
    outcome: kind,
    ...("id" in outcome ? { id: outcome.id } : {}),
    ...(outcome.kind === "failed" ? { error: outcome.error.message } : {}),
    ...(outcome.kind === "skipped" ? { reason: outcome.reason } : {}),
    ...(outcome.kind === "planned"
      ? {
          is_new: outcome.isNew,
          changes: outcome.changes.map(({ field, from, to }) => ({ field, from: from ?? null, to })),
          deployment: creationBody(outcome.plan, ""),
        }
      : {}),
  };
}

function exitCodeOf(outcome: DeployOutcome | undefined): number {
  return outcome?.kind === "failed" && outcome.error instanceof WorkerError ? outcome.error.exitCode : 1;
}

function shorten(value: Json): string {
  const text = stringifyJson(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
