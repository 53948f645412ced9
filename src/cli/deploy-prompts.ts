import { createWorkPool, listWorkPools, readWorkerTypes } from "../api/manage/work-pools.ts";
import { WorkerError } from "../errors.ts";
import { pythonStr } from "../json/python.ts";
import { defaultTemplate, OWN_TYPE } from "./commands/work-pool/template.ts";

import type * as Prompts from "@clack/prompts";

import type { Caller } from "../api/calls.ts";
import type { FoundFlow } from "../project/flow-reader.ts";
import type { ChooseDeclaration } from "../project/selection.ts";
import type { DeployQuestions } from "../project/interview.ts";
import type { Io } from "./io.ts";

/** Where questions are asked, until the signal ends them. */
export type Terminal = NonNullable<ReturnType<Io["terminal"]>> & { readonly signal?: AbortSignal };

/** What `deploy` asks on a terminal where arguments and file leave something open. */
export interface DeployPrompts extends DeployQuestions {
  readonly choose: ChooseDeclaration;
}

export interface DeployPromptsOptions {
  readonly terminal: Terminal;
  readonly api: Caller;
  /** The flows of the project. */
  readonly findFlows: () => Promise<readonly FoundFlow[]>;
}

/** Asks with the questions of `prefect deploy`. Ctrl-C and Escape leave with nothing done. */
export function createDeployPrompts({ terminal, api, findFlows }: DeployPromptsOptions): DeployPrompts {
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

    async entrypoint() {
      const prompts = await import("@clack/prompts");
      const flows = await findFlows();
      if (flows.length > 0) {
        const chosen = await prompts.select({
          message: "Which flow?",
          options: [
            ...flows.map(({ entrypoint, name }) => ({ value: entrypoint, label: name, hint: entrypoint })),
            { value: "", label: "Another; write its entrypoint" },
          ],
          ...terminal,
        });
        const entrypoint = answered(prompts, chosen);
        if (entrypoint !== "") return entrypoint;
      }
      const answer = await prompts.text({
        message: "Flow entrypoint (path/to/file.py:flow_function)",
        validate: (text) =>
          text?.includes(":") === true || text?.includes(".") === true
            ? undefined
            : "Write it as path/to/file.py:flow_function",
        ...terminal,
      });
      return answered(prompts, answer);
    },

    async name() {
      const prompts = await import("@clack/prompts");
      const answer = await prompts.text({
        message: "Deployment name",
        placeholder: "default",
        defaultValue: "default",
        ...terminal,
      });
      return answered(prompts, answer);
    },

    async pool() {
      const prompts = await import("@clack/prompts");
      const pools = (await listWorkPools(api)).filter(({ type }) => type !== "prefect-agent");
      if (pools.length === 0) return await createPool(prompts);
      const chosen = await prompts.select({
        message: "Which work pool should this flow run in?",
        options: pools.map(({ name, type }) => ({ value: name, label: name, hint: type })),
        ...terminal,
      });
      return answered(prompts, chosen);
    },
  };

  async function createPool(prompts: typeof Prompts): Promise<string> {
    const isWanted = await prompts.confirm({
      message: "There is no work pool that this flow can be deployed to. Make one?",
      ...terminal,
    });
    if (!answered(prompts, isWanted)) {
      throw new WorkerError("DEPLOY_REFUSED", "A work pool is required to deploy this flow", {
        hint: "`lighterman work-pool create NAME --type process` makes one; --pool names one.",
      });
    }
    const types = [...((await readWorkerTypes(api)) ?? new Map<string, unknown>([[OWN_TYPE, {}]])).keys()];
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
      await prompts.text({ message: "Work pool name", validate: required, ...terminal }),
    );
    const template = await defaultTemplate(api, chosenType);
    await createWorkPool(api, { name, type: chosenType, base_job_template: template });
    prompts.log.success(`Work pool '${name}' is made.`, terminal);
    return name;
  }
}

/** For answers that may not be empty. */
export function required(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? "It is needed." : undefined;
}

/** The answer, or a WorkerError when the user has left. */
export function answered<T>(
  prompts: { isCancel(value: unknown): value is symbol },
  answer: T,
): Exclude<T, symbol> {
  if (!prompts.isCancel(answer)) return answer as Exclude<T, symbol>; // what is no symbol is the answer
  throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was registered");
}
