import { WorkerError } from "../errors.ts";
import { pythonStr } from "../json/python.ts";

import type { ChooseDeclaration } from "../project/selection.ts";
import type { DeployQuestions } from "../project/preparation.ts";
import type { Io } from "./io.ts";

type Terminal = NonNullable<ReturnType<Io["terminal"]>>;

/** What `deploy` asks on a terminal where arguments and file leave something open. */
export interface DeployPrompts extends DeployQuestions {
  readonly choose: ChooseDeclaration;
}

export interface DeployPromptsOptions {
  readonly terminal: Terminal;
  /** Names and types of the work pools there are. */
  readonly readPools: () => Promise<readonly { readonly name: string; readonly type: string }[]>;
}

/** Asks with the questions of `prefect deploy`. Ctrl-C and Escape leave with nothing done. */
export function createDeployPrompts({ terminal, readPools }: DeployPromptsOptions): DeployPrompts {
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
      if (options.length === 0) return undefined;
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
      const answer = await prompts.text({
        message: "Which flow? (path/to/file.py:flow_function)",
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
      const pools = (await readPools()).filter(({ type }) => type !== "prefect-agent");
      if (pools.length === 0) {
        throw new WorkerError("NOT_FOUND", "There is no work pool to deploy to", {
          hint: "`lighterman work-pool create NAME --type process` makes one.",
        });
      }
      const chosen = await prompts.select({
        message: "Which work pool should this flow run in?",
        options: pools.map(({ name, type }) => ({ value: name, label: name, hint: type })),
        ...terminal,
      });
      return answered(prompts, chosen);
    },
  };
}

function answered<T>(prompts: { isCancel(value: unknown): value is symbol }, answer: T): Exclude<T, symbol> {
  if (!prompts.isCancel(answer)) return answer as Exclude<T, symbol>; // what is no symbol is the answer
  throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was registered");
}
