import { createWorkPool, listWorkPools, readWorkerTypes } from "../api/manage/work-pools.ts";
import { WorkerError } from "../errors.ts";
import { pythonStr } from "../json/python.ts";
import { defaultTemplate, OWN_TYPE } from "./commands/work-pool/template.ts";
import { deploymentNameProblem, poolNameProblem } from "./deploy-answers.ts";

import type * as Prompts from "@clack/prompts";

import type { Caller } from "../api/calls.ts";
import type { WorkPool } from "../api/types.ts";
import type { FoundFlow } from "../project/flow-reader.ts";
import type { ChooseDeclaration } from "../project/selection.ts";
import type { DeployQuestions } from "../project/interview.ts";
import type { Io } from "./io.ts";

/** Where questions are asked, until the signal ends them. */
export type Terminal = NonNullable<ReturnType<Io["terminal"]>> & { readonly signal?: AbortSignal };

/** What `deploy` asks on a terminal where arguments and file leave something open. */
export interface DeployPrompts extends DeployQuestions {
  readonly choose: ChooseDeclaration;
  /** A pool that is agreed upon, and made when the last question is answered. */
  agreedPool(name: string): WorkPool | undefined;
}

export interface DeployPromptsOptions {
  readonly terminal: Terminal;
  readonly api: Caller;
  /** The flows of the project. */
  readonly findFlows: () => Promise<readonly FoundFlow[]>;
}

/** Asks with the questions of `prefect deploy`. Ctrl-C and Escape leave with nothing done. */
export function createDeployPrompts({ terminal, api, findFlows }: DeployPromptsOptions): DeployPrompts {
  const agreed = new Map<string, WorkPool>();
  const pending = new Set<string>();
  const titled = (label: string | undefined, message: string): string =>
    label === undefined ? message : `${label}: ${message}`;
  return {
    async choose(declarations, why) {
      const prompts = await import("@clack/prompts");
      const options = declarations
        .filter(({ fields }) => typeof fields["name"] === "string")
        .map(({ index, fields }) => ({
          value: index,
          label: pythonStr(fields["name"] ?? null),
          hint: [fields["entrypoint"], fields["description"]]
            .filter((text) => typeof text === "string")
            .join(" · "),
        }));
      // The empty item that `init` writes is there to be filled.
      const [blank] = declarations;
      if (options.length === 0) return blank?.fields["entrypoint"] === null ? blank : undefined;
      const isOpen = why === "existing";
      const chosen = await prompts.select({
        message: isOpen
          ? "Would you like to use an existing deployment configuration?"
          : "Several deployment configurations have that name. Which one?",
        options: [...options, ...(isOpen ? [{ value: -1, label: "No, configure a new deployment" }] : [])],
        ...terminal,
      });
      const index = answered(prompts, chosen);
      return declarations.find((declaration) => declaration.index === index);
    },

    async entrypoint(label, problemOf) {
      const prompts = await import("@clack/prompts");
      const flows = await findFlows();
      if (flows.length > 0) {
        const chosen = await prompts.select({
          message: titled(label, "Which flow?"),
          options: [
            ...flows.map(({ entrypoint, name }) => ({ value: entrypoint, label: name, hint: entrypoint })),
            { value: "", label: "Another; write its entrypoint" },
          ],
          ...terminal,
        });
        const entrypoint = answered(prompts, chosen);
        if (entrypoint !== "") return entrypoint;
      }
      for (;;) {
        const answer = await prompts.text({
          message: titled(label, "Flow entrypoint (path/to/file.py:flow_function)"),
          validate: (text) =>
            text?.includes(":") === true || text?.includes(".") === true
              ? undefined
              : "Write it as path/to/file.py:flow_function",
          ...terminal,
        });
        const entrypoint = answered(prompts, answer);
        const problem = await problemOf(entrypoint);
        if (problem === undefined) return entrypoint;
        prompts.log.error(problem, terminal);
      }
    },

    async isToBeNamed(label) {
      const prompts = await import("@clack/prompts");
      const answer = await prompts.confirm({
        message: `${label} has no name. Give it one and deploy it?`,
        ...terminal,
      });
      return answered(prompts, answer);
    },

    async name(label) {
      const prompts = await import("@clack/prompts");
      const answer = await prompts.text({
        message: titled(label, "Deployment name"),
        placeholder: "default",
        defaultValue: "default",
        validate: (text) => ((text ?? "") === "" ? undefined : deploymentNameProblem(text)),
        ...terminal,
      });
      return answered(prompts, answer);
    },

    async pool(label) {
      const prompts = await import("@clack/prompts");
      const existing = await listWorkPools(api);
      const pools = [...existing, ...agreed.values()].filter(({ type }) => type !== "prefect-agent");
      if (pools.length === 0) {
        return await agreeOnPool(
          prompts,
          label,
          existing.map(({ name }) => name),
        );
      }
      const chosen = await prompts.select({
        message: titled(label, "Which work pool should this flow run in?"),
        options: pools.map(({ name, type }) => ({ value: name, label: name, hint: type })),
        ...terminal,
      });
      return answered(prompts, chosen);
    },

    agreedPool: (name) => agreed.get(name),

    async settle() {
      for (const name of pending) {
        const { type, base_job_template } = agreed.get(name) ?? {};
        pending.delete(name);
        await createWorkPool(api, {
          name,
          type: type ?? OWN_TYPE,
          base_job_template: base_job_template ?? {},
        });
        const prompts = await import("@clack/prompts");
        prompts.log.success(`Work pool '${name}' is made.`, terminal);
      }
    },
  };

  async function agreeOnPool(
    prompts: typeof Prompts,
    label: string | undefined,
    taken: readonly string[],
  ): Promise<string> {
    const isWanted = await prompts.confirm({
      message: titled(label, "There is no work pool that this flow can be deployed to. Make one?"),
      ...terminal,
    });
    if (!answered(prompts, isWanted)) {
      throw new WorkerError("DEPLOY_REFUSED", "A work pool is required to deploy this flow", {
        hint: "`lighterman work-pool create NAME --type process` makes one; --pool names one. Nothing was registered.",
      });
    }
    // Those that we have a template for, where the server has none.
    const types = [...((await readWorkerTypes(api))?.keys() ?? [OWN_TYPE, "docker"])];
    const type = await prompts.select({
      message: "What infrastructure do its runs use?",
      options: types
        .filter((name) => name !== "prefect-agent")
        .toSorted((a, b) => Number(b === OWN_TYPE) - Number(a === OWN_TYPE) || a.localeCompare(b))
        .map((value) => ({ value, label: value })),
      ...terminal,
    });
    const chosenType = answered(prompts, type);
    const name = answered(
      prompts,
      await prompts.text({
        message: "Work pool name",
        validate: (text) => poolNameProblem(text, taken),
        ...terminal,
      }),
    );
    agreed.set(name, {
      id: "",
      name,
      type: chosenType,
      base_job_template: await defaultTemplate(api, chosenType),
      is_paused: false,
      concurrency_limit: null,
    });
    pending.add(name);
    return name;
  }
}

/** The answer, or a WorkerError when the user has left. */
export function answered<T>(
  prompts: { isCancel(value: unknown): value is symbol },
  answer: T,
): Exclude<T, symbol> {
  if (!prompts.isCancel(answer)) return answer as Exclude<T, symbol>; // what is no symbol is the answer
  throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was registered");
}
